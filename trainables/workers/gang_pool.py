"""Gangs: warm Ray Train worker groups that train one assignment after another without restarting."""

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import monotonic
from typing import Any

import ray
from ray.exceptions import RayError

from trainables.common.errors import NoSlotLeftError
from trainables.config import Assignment, EpochReport
from trainables.data.store.data_summary import DataSummary
from trainables.storage.folder_sync import FolderSync, retry_sync, without_checkpoints
from trainables.workers.gang_resources import HEAD, GangShape
from trainables.workers.slot_state import GangInfo
from trainables.workers.trainer import GangTrainer
from trainables.workers.trial_broker import Mailbox

logger = logging.getLogger(__name__)

GANGS = "gangs"
"""Folder in a search's that Ray Train asks for, while there are gangs."""
CONTROLLERS = 3
"""Ray Train controllers that one slot may use up; one dies only with its process."""
REST = 60.0
"""Seconds without work after which a gang goes home, on nodes that others want or that cost money; one always stays."""
LOOK = 5.0
"""Seconds after which whoever waits for a report looks whether anything is trained at all."""


class GangPool:
    """All gangs of one search, and their mailbox."""

    def __init__(
        self,
        shape: GangShape,
        data: DataSummary,
        mirror: FolderSync,
        when_warm: Callable[[int, GangInfo], None] | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """Begin to start the gangs, and return; `when_warm` hears, from a thread, of each slot that can train.

        Assignments have folders in that of `mirror`, which `train` brings in step before and after each of them.
        `check` is called before each trial and after each epoch of `train`, and may raise to end it; its gangs save
        what they have.
        """
        self.shape, self._data, self._mirror, self._check = shape, data, mirror, check
        self._when_warm = when_warm or (lambda _slot, _info: None)
        self.is_warm = False
        """Whether any gang could train yet."""
        self._no_slot_left = ""
        calls = 1000 + 2 * shape.slots * (shape.workers + 4)  # each worker and each owner waits in one
        self.mailbox: Any = (
            ray.remote(Mailbox)
            .options(num_cpus=0, max_concurrency=calls, resources=HEAD)
            .remote(shape.slots, REST if shape.elastic else float("inf"))
        )
        self._fits = [
            threading.Thread(target=self._keep_up, args=(slot,), name=f"gang-{slot}", daemon=True)
            for slot in range(shape.slots)
        ]
        # A starting gang keeps two cores busy: more at a time would only make the first one late.
        # Where nodes bring their own cores, and may have to come first, nobody waits for anybody.
        at_once = shape.slots if shape.elastic else max(1, round(shape.slots * shape.workers * shape.cpus) // 2)
        self._starters = ThreadPoolExecutor(max_workers=at_once)
        self._starts = [self._starters.submit(self._start, slot) for slot in range(shape.slots)]
        threading.Thread(target=self._hear_news, name="slot-errors", daemon=True).start()

    def _hear_news(self) -> None:
        heard = 0
        try:
            while (news := ray.get(self.mailbox.news.remote(heard))) is not None:
                lines, over = news
                heard += len(lines)
                for line in lines:
                    logger.warning(line)
                if over:
                    self._no_slot_left = over
                    return
        except RayError:
            return  # the mailbox is gone, or Ray is: whoever waits for it will know

    @property
    def has_slots(self) -> bool:
        """Whether any slot can train, or may yet."""
        return not self._no_slot_left

    def check_slots(self) -> None:
        """Raise `NoSlotLeftError`, with the reason of the last, where no slot can train any more."""
        if self._no_slot_left:
            raise NoSlotLeftError(f"no slot is left to train on: {self._no_slot_left}")

    def _start(self, slot: int) -> None:
        self._fits[slot].start()
        info = ray.get(self.mailbox.warm.remote(slot))
        if info is not None:
            self.is_warm = True
            self._when_warm(slot, info)

    def _keep_up(self, slot: int) -> None:
        """Keep one gang up while the mailbox calls for it: Ray Train restarts its workers, this its controller."""
        reason, deaths = "the gang has gone home", 0
        try:
            while deaths < CONTROLLERS and ray.get(self.mailbox.called.remote(slot)):
                error = self._run(slot)
                if not ray.is_initialized():
                    return
                ray.get(self.mailbox.lost.remote(slot))
                if error is not None:
                    reason, deaths = f"the gang could not be kept up: {_first_line(error)}", deaths + 1
            ray.get(self.mailbox.give_up.remote(slot, reason))
        except RayError:
            return  # the mailbox is gone, or Ray is: whoever waits for it will know

    def _run(self, slot: int) -> Exception | None:
        """Run one gang until it ends; returns what ended its controller, if anything did."""
        trainer = self._trainer(slot)
        config = {
            "mailbox": self.mailbox, "slot": slot, "data": self._data, "shape": self.shape, "home": self._mirror.storage,
        }  # fmt: skip
        try:
            trainer.fit(gang_loop, config)
        except Exception as error:  # whatever ended the controller
            if ray.is_initialized():
                trainer.release()
            return error
        return None

    def _trainer(self, slot: int) -> GangTrainer:
        return GangTrainer(self.mailbox, slot, self.shape, str(self._mirror.folder / GANGS))

    def ready(self) -> list[GangInfo]:
        """Wait for all gangs, and return what they are; one that is gone for good is not among them."""
        infos = ray.get([self.mailbox.warm.remote(slot) for slot in range(self.shape.slots)])
        return [info for info in infos if info is not None]

    def known(self) -> list[GangInfo]:
        """What the gangs that were ever up are; others may still wait for room."""
        return list(ray.get(self.mailbox.known.remote()))

    def is_training(self) -> bool:
        """Whether any trial is with workers; if not, all that are there wait for room."""
        return bool(ray.get(self.mailbox.is_training.remote()))

    def train(
        self, assignments: Sequence[Assignment], listen: Callable[[EpochReport], None] = lambda _report: None
    ) -> list[EpochReport]:
        """Train `assignments` on whatever gangs are free, without Tune; returns the last report of each, in order.

        Raises OSError where shared storage fails, and `NoSlotLeftError` where no slot is left.
        """
        retry_sync(self._mirror.push)

        def follow(assignment: Assignment) -> EpochReport:
            self._check()
            slot = ray.get(self.mailbox.claim.remote())
            try:
                ray.get(self.mailbox.assign.remote(slot, assignment))
                while True:
                    report = self._next_report(slot)
                    if report.status != "running":
                        part = self._mirror.storage.name_of(assignment.folder)
                        retry_sync(partial(self._mirror.pull, without_checkpoints, part))
                    listen(report)
                    if report.status != "running":
                        return report
                    self._check()
            finally:
                ray.get(self.mailbox.release.remote(slot))

        with ThreadPoolExecutor(max_workers=self.shape.slots) as threads:
            return list(threads.map(follow, assignments))

    def _next_report(self, slot: int) -> EpochReport:
        asked = self.mailbox.next_report.remote(slot)
        while not ray.wait([asked], timeout=LOOK)[0]:
            if not self.is_training():
                self.check_slots()
                self._check()  # nobody will finish an epoch before nodes come
        report: EpochReport = ray.get(asked)
        return report

    def let_go(self, trial: str, epoch: int) -> None:
        """Say, without waiting, that a trial goes on no further for now than `epoch`, of which it has told."""
        self.mailbox.let_go.remote(trial, epoch)

    def is_reachable(self) -> bool:
        """Whether the mailbox answers."""
        try:
            return bool(ray.get(self.mailbox.ping.remote(), timeout=10))
        except RayError:
            return False

    def close(self, patience: float = 20.0) -> None:
        """Send all gangs home and wait for them, `patience` seconds at most; what is saved then stays."""
        deadline = monotonic() + patience
        for start in self._starts:
            start.cancel()
        if not self.is_reachable():
            return  # nobody can be told: they end with this process's part in the cluster
        ray.get(self.mailbox.close.remote())
        for thread in self._fits:
            if thread.ident is not None:
                thread.join(timeout=max(0.0, deadline - monotonic()))


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def gang_loop(args: dict[str, Any]) -> None:
    """What Ray Train runs in each worker; torch and all that trains are imported there, and only there."""
    from trainables.workers.worker import work

    work(**args)
