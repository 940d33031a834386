"""Gangs: warm Ray Train worker groups that train one assignment after another without restarting."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import ray
import ray.train
from ray.exceptions import RayError

from trainables.config import Assignment, EpochReport
from trainables.data.summary import DataSummary
from trainables.mailbox import GangInfo, Mailbox
from trainables.mirror import Mirror, insist, without_checkpoints
from trainables.shape import GangShape
from trainables.trainer import GangTrainer

GANGS = "gangs"
"""Folder in a search's that Ray Train asks for, while there are gangs."""
CONTROLLERS = 3
"""Ray Train controllers that one slot may use up; one dies only with its process."""


class GangPool:
    """All gangs of one search, and their mailbox."""

    def __init__(
        self,
        shape: GangShape,
        data: DataSummary,
        mirror: Mirror,
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
        self.mailbox: Any = (
            ray.remote(Mailbox)
            .options(num_cpus=0, max_concurrency=1000, resources={"node:__internal_head__": 0.001})
            .remote(shape.slots)
        )
        self._fits = [
            threading.Thread(target=self._keep_up, args=(slot,), name=f"gang-{slot}", daemon=True)
            for slot in range(shape.slots)
        ]
        # A starting gang keeps two cores busy: more at a time would only make the first one late.
        at_once = max(1, round(shape.slots * shape.workers * shape.cpus) // 2)
        self._starters = ThreadPoolExecutor(max_workers=at_once)
        self._starts = [self._starters.submit(self._start, slot) for slot in range(shape.slots)]

    def _start(self, slot: int) -> None:
        self._fits[slot].start()
        info = ray.get(self.mailbox.warm.remote(slot))
        if info is not None:
            self._when_warm(slot, info)

    def _keep_up(self, slot: int) -> None:
        """Keep one gang up until the mailbox sends it home: Ray Train restarts its workers, this its controller."""
        reason = "the gang has gone home"
        for _ in range(CONTROLLERS):
            trainer = self._trainer(slot)
            try:
                trainer.fit()
                break
            except Exception as error:  # whatever ended the controller
                reason = f"the gang could not be kept up: {str(error).strip().splitlines()[0]}"
                if not ray.is_initialized():
                    return
                trainer.give_back()
        self.mailbox.give_up.remote(slot, reason)

    def _trainer(self, slot: int) -> GangTrainer:
        shape = self.shape
        resources = {"CPU": shape.cpus} | ({"GPU": shape.gpus} if shape.gpus else {})
        return GangTrainer(
            train_loop_per_worker=gang_loop,
            train_loop_config={
                "mailbox": self.mailbox, "slot": slot, "data": self._data, "shape": shape, "home": self._mirror.home,
            },
            scaling_config=ray.train.ScalingConfig(
                num_workers=shape.workers, use_gpu=shape.gpus > 0, resources_per_worker=resources
            ),
            run_config=ray.train.RunConfig(
                name=f"gang-{slot}",
                storage_path=str(self._mirror.folder / GANGS),
                failure_config=ray.train.FailureConfig(max_failures=-1),
            ),
        )  # fmt: skip

    def ready(self) -> list[GangInfo]:
        """Wait for all gangs, and return what they are; one that is gone for good is not among them."""
        infos = ray.get([self.mailbox.warm.remote(slot) for slot in range(self.shape.slots)])
        return [info for info in infos if info is not None]

    def train(
        self, assignments: Sequence[Assignment], listen: Callable[[EpochReport], None] = lambda _report: None
    ) -> list[EpochReport]:
        """Train `assignments` on whatever gangs are free, without Tune; returns the last report of each, in order.

        Raises OSError where shared storage fails.
        """
        insist(self._mirror.push)

        def follow(assignment: Assignment) -> EpochReport:
            self._check()
            slot = ray.get(self.mailbox.claim.remote())
            try:
                while not ray.get(self.mailbox.assign.remote(slot, assignment)):
                    ray.get(self.mailbox.release.remote(slot))  # gone for good since; another gang will be free
                    slot = ray.get(self.mailbox.claim.remote())
                while True:
                    report: EpochReport = ray.get(self.mailbox.next_report.remote(slot))
                    if report.status != "running":
                        part = self._mirror.home.name(assignment.folder)
                        insist(partial(self._mirror.pull, without_checkpoints, part))
                    listen(report)
                    if report.status != "running":
                        return report
                    self._check()
            finally:
                ray.get(self.mailbox.release.remote(slot))

        with ThreadPoolExecutor(max_workers=self.shape.slots) as threads:
            return list(threads.map(follow, assignments))

    def is_reachable(self) -> bool:
        """Whether the mailbox answers."""
        try:
            return bool(ray.get(self.mailbox.ping.remote(), timeout=10))
        except RayError:
            return False

    def close(self, patience: float = 20.0) -> None:
        """Send all gangs home and wait for them, `patience` seconds each at most; what is saved then stays."""
        for start in self._starts:
            start.cancel()
        if not self.is_reachable():
            return  # nobody can be told: they end with this process's part in the cluster
        ray.get(self.mailbox.close.remote())
        for thread in self._fits:
            if thread.ident is not None:
                thread.join(timeout=patience)


def gang_loop(args: dict[str, Any]) -> None:
    """What Ray Train runs in each worker; torch and all that trains are imported there, and only there."""
    from trainables.worker import work

    work(**args)
