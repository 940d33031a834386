"""Gangs: warm Ray Train worker groups that train one assignment after another without restarting."""

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from time import monotonic
from typing import Any

import ray
from ray.exceptions import RayError

from trainables.common.errors import NoSlotLeftError
from trainables.config import Assignment, Decision, EpochReport
from trainables.custom.register import registered_code
from trainables.data.store.data_summary import DataSummary
from trainables.storage.folder_sync import FolderSync, retry_sync, without_checkpoints
from trainables.workers.gang_resources import HEAD, GangResources, share_threads
from trainables.workers.slot_client import AssignmentSource, ListedAssignments, SlotClient
from trainables.workers.slot_state import GangInfo
from trainables.workers.trainer import GangTrainer
from trainables.workers.trial_broker import TrialBroker

logger = logging.getLogger(__name__)

GANGS = "gangs"
"""Folder in a search's that Ray Train asks for, while there are gangs."""
MAX_CONTROLLER_DEATHS = 3
"""Ray Train controllers that one slot may use up; one dies only with its process."""
IDLE_TIMEOUT_S = 60.0
"""Seconds without work after which a gang goes home, on nodes that others want or that cost money; one always stays."""


class GangPool:
    """All gangs of one search, and their broker."""

    def __init__(
        self,
        resources: GangResources,
        data: DataSummary,
        mirror: FolderSync,
        on_warm: Callable[[int, GangInfo], None] | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """Begin to start the gangs, and return; `on_warm` hears, from a thread, of each slot that can train.

        Assignments have folders in that of `mirror`, which `train` brings in step before and after each of them.
        `check` is called before each trial and after each epoch of `train`, and may raise to end it; its gangs save
        what they have.
        """
        self.resources, self._data, self._mirror, self._check = resources, data, mirror, check
        self._on_warm = on_warm or (lambda _slot, _info: None)
        self.is_warm = False
        """Whether any gang could train yet."""
        self._no_slot_left = ""
        calls = 1000 + 2 * resources.slots * (resources.workers + 4)  # each worker and each owner waits in one
        self.broker: Any = (
            ray.remote(TrialBroker)
            .options(num_cpus=0, max_concurrency=calls, resources=HEAD)
            .remote(resources.slots, IDLE_TIMEOUT_S if resources.elastic else float("inf"))
        )
        self._threads = [
            threading.Thread(target=self._keep_up, args=(slot,), name=f"gang-{slot}", daemon=True)
            for slot in range(resources.slots)
        ]
        # A starting gang keeps two cores busy: more at a time would only make the first one late.
        # Where nodes bring their own cores, and may have to start first, all gangs start at once.
        at_once = (
            resources.slots
            if resources.elastic
            else max(1, round(resources.slots * resources.workers * resources.cpus) // 2)
        )
        self._starters = ThreadPoolExecutor(max_workers=at_once)
        self._starts = [self._starters.submit(self._start, slot) for slot in range(resources.slots)]
        threading.Thread(target=self._follow_messages, name="slot-errors", daemon=True).start()

    def _follow_messages(self) -> None:
        heard = 0
        try:
            while (news := ray.get(self.broker.wait_for_messages.remote(heard))) is not None:
                lines, over = news
                heard += len(lines)
                for line in lines:
                    logger.warning(line)
                if over:
                    self._no_slot_left = over
                    return
        except RayError:
            return  # the broker or Ray has ended: calls that wait for it raise, too

    @property
    def has_slots(self) -> bool:
        """Whether any slot can train, or may yet."""
        return not self._no_slot_left

    def check_slots(self) -> None:
        """Raise `NoSlotLeftError`, with the reason of the last, where no slot can train any more."""
        if self._no_slot_left:
            raise NoSlotLeftError(f"no slot is left to train on: {self._no_slot_left}")

    def _start(self, slot: int) -> None:
        self._threads[slot].start()
        info = ray.get(self.broker.wait_until_warm.remote(slot))
        if info is not None:
            self.is_warm = True
            self._on_warm(slot, info)

    def _keep_up(self, slot: int) -> None:
        """Keep one gang up while the broker calls for it: Ray Train restarts its workers, this its controller."""
        reason, deaths = "the gang was stopped", 0
        try:
            while deaths < MAX_CONTROLLER_DEATHS and ray.get(self.broker.wait_until_needed.remote(slot)):
                error = self._run(slot)
                if not ray.is_initialized():
                    return
                ray.get(self.broker.mark_lost.remote(slot))
                if error is not None:
                    reason, deaths = f"the gang could not be kept up: {_first_line(error)}", deaths + 1
            ray.get(self.broker.retire.remote(slot, reason))
        except RayError:
            return  # the broker or Ray has ended: calls that wait for it raise, too

    def _run(self, slot: int) -> Exception | None:
        """Run one gang until it ends; returns what ended its controller, if anything did."""
        trainer = self._trainer(slot)
        storage = self._mirror.storage
        config = {
            "broker": self.broker, "slot": slot, "data": self._data, "resources": self.resources, "storage": storage,
            "code": registered_code(),
        }  # fmt: skip
        try:
            trainer.fit(gang_loop, config)
        except Exception as error:  # of any kind: it ended the controller
            if ray.is_initialized():
                trainer.release()
            return error
        return None

    def _trainer(self, slot: int) -> GangTrainer:
        return GangTrainer(self.broker, slot, self.resources, str(self._mirror.folder / GANGS))

    def wait_until_ready(self) -> list[GangInfo]:
        """Wait for all gangs, and return what they are; one that is gone for good is not among them."""
        infos = ray.get([self.broker.wait_until_warm.remote(slot) for slot in range(self.resources.slots)])
        return [info for info in infos if info is not None]

    def known_gangs(self) -> list[GangInfo]:
        """What the gangs that were ever up are; others may still wait for room."""
        return list(ray.get(self.broker.known_gangs.remote()))

    def is_training(self) -> bool:
        """Whether any trial is with workers; if not, all that are there wait for room."""
        return bool(ray.get(self.broker.is_training.remote()))

    def run_trials(
        self, assignments: Sequence[Assignment], listen: Callable[[EpochReport], None] = lambda _report: None
    ) -> list[EpochReport]:
        """Train `assignments` on the gangs that are free, without Tune; returns the last report of each, in order.

        Raises OSError where shared storage fails, and `NoSlotLeftError` where no slot is left.
        """
        listed = ListedAssignments(assignments)
        self.run_source(listed, listen)
        return listed.reports

    def run_source(
        self, source: AssignmentSource, listen: Callable[[EpochReport], None] = lambda _report: None
    ) -> None:
        """Train what `source` chooses, each time that a slot is free, until it chooses nothing and all have ended.

        `listen` hears of each report, from a thread. Raises as `run_trials` does.
        """
        retry_sync(self._mirror.push)
        running: dict[Future[EpochReport], Assignment] = {}
        with ThreadPoolExecutor(max_workers=self.resources.slots) as threads:
            while True:
                names = [assignment.trial for assignment in running.values()]
                chosen = source.next_assignments(names, self.resources.slots - len(running))
                for assignment in share_threads(self.resources, chosen, list(running.values())):
                    running[threads.submit(self._run_one, assignment, source, listen)] = assignment
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    del running[future]
                    if (report := future.result()).status != "running":  # else it was stopped
                        source.record(report)

    def _run_one(
        self, assignment: Assignment, source: AssignmentSource, listen: Callable[[EpochReport], None]
    ) -> EpochReport:
        """Train one assignment until its end, or until it is not needed any more; returns its last report."""

        def on_report(report: EpochReport) -> Decision:
            if report.status != "running":
                part = self._mirror.storage.name_of(assignment.folder)
                retry_sync(partial(self._mirror.pull, without_checkpoints, part))
            listen(report)
            if report.status == "running":
                self._check()
            return Decision.CONTINUE if source.is_needed(assignment.trial) else Decision.STOP

        self._check()
        with SlotClient(self.broker) as client:
            return client.run(assignment, on_report, self._check_idle)

    def _check_idle(self) -> None:
        """Raise if no trial is with workers, and none will be: no slot is left, or the caller wants to end."""
        if not self.is_training():
            self.check_slots()
            self._check()

    def is_reachable(self) -> bool:
        """Whether the broker answers."""
        try:
            return bool(ray.get(self.broker.ping.remote(), timeout=10))
        except RayError:
            return False

    def close(self, patience: float = 20.0) -> None:
        """Stop all gangs and wait for them, `patience` seconds at most; checkpoints that are saved stay."""
        deadline = monotonic() + patience
        for start in self._starts:
            start.cancel()
        if not self.is_reachable():
            return  # no broker to tell the gangs: they end with this process's job in the cluster
        ray.get(self.broker.close.remote())
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(timeout=max(0.0, deadline - monotonic()))


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def gang_loop(args: dict[str, Any]) -> None:
    """What Ray Train runs in each worker; torch and all that trains are imported there, and only there."""
    from trainables.workers.worker import work

    work(**args)
