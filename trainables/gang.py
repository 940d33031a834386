"""Gangs: warm Ray Train worker groups that train one assignment after another without restarting."""

import threading
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import ray
import ray.train
import ray.train.torch
import torch
from pydantic import Field

from trainables.config import Assignment, EpochReport, Frozen, failure
from trainables.data.store import open_store
from trainables.data.summary import DataSummary
from trainables.device import precision, set_threads
from trainables.group import Group, lost_peer
from trainables.mailbox import GangInfo, Mailbox
from trainables.predictions import write_predictions
from trainables.train import OutOfMemoryError, TrialRun, Workplace
from trainables.weights import write_weights


class GangShape(Frozen):
    """How large each gang is, and how many there are."""

    slots: int = Field(ge=1)
    """Gangs: trials at a time."""
    workers: int = Field(ge=1)
    """DDP workers in each gang."""
    cpus: float = Field(gt=0)
    """Cores of each worker."""
    gpus: float = Field(ge=0)
    """GPUs of each worker; a fraction packs several on one."""
    memory_gb: float = Field(0.0, ge=0)
    """Image memory of each worker, in GB; 0 takes a share of what is free."""


class GangPool:
    """All gangs of one search, and their mailbox."""

    def __init__(self, shape: GangShape, data: DataSummary, folder: Path) -> None:
        """Start every gang at once and return without waiting for them."""
        self.shape = shape
        self.mailbox: Any = (
            ray.remote(Mailbox)
            .options(num_cpus=0, max_concurrency=1000, resources={"node:__internal_head__": 0.001})
            .remote(shape.slots)
        )
        self._threads = [
            threading.Thread(target=self._run, args=(slot, data, folder), name=f"gang-{slot}", daemon=True)
            for slot in range(shape.slots)
        ]
        for thread in self._threads:
            thread.start()

    def _run(self, slot: int, data: DataSummary, folder: Path) -> None:
        """Keep one gang up until the mailbox sends it home; Ray Train restarts its worker group after a failure."""
        resources = {"CPU": self.shape.cpus} | ({"GPU": self.shape.gpus} if self.shape.gpus else {})
        try:
            ray.train.torch.TorchTrainer(
                gang_loop,
                train_loop_config={
                    "mailbox": self.mailbox,
                    "slot": slot,
                    "data": data,
                    "threads": self.shape.cpus,
                    "memory_gb": self.shape.memory_gb,
                },
                scaling_config=ray.train.ScalingConfig(
                    num_workers=self.shape.workers, use_gpu=self.shape.gpus > 0, resources_per_worker=resources
                ),
                run_config=ray.train.RunConfig(
                    name=f"gang-{slot}",
                    storage_path=str(folder),
                    failure_config=ray.train.FailureConfig(max_failures=-1),
                ),
            ).fit()
            reason = "the gang has gone home"
        except Exception as error:  # whatever ended the gang, its trials must hear of it
            reason = f"the gang could not be kept up: {error}"
        if ray.is_initialized():
            self.mailbox.give_up.remote(slot, reason)

    def ready(self) -> list[GangInfo]:
        """Wait for all gangs, and return what they are."""
        infos: list[GangInfo] = ray.get(self.mailbox.ready.remote())
        return infos

    def train(
        self, assignments: Sequence[Assignment], listen: Callable[[EpochReport], None] = lambda _report: None
    ) -> list[EpochReport]:
        """Train `assignments` on whatever gangs are free, without Tune; returns the last report of each, in order."""

        def follow(assignment: Assignment) -> EpochReport:
            slot = ray.get(self.mailbox.claim.remote())
            try:
                ray.get(self.mailbox.assign.remote(slot, assignment))
                while True:
                    report: EpochReport = ray.get(self.mailbox.next_report.remote(slot))
                    listen(report)
                    if report.status != "running":
                        return report
            finally:
                ray.get(self.mailbox.release.remote(slot))

        with ThreadPoolExecutor(max_workers=self.shape.slots) as threads:
            return list(threads.map(follow, assignments))

    def close(self) -> None:
        """Send all gangs home and wait for them."""
        ray.get(self.mailbox.close.remote())
        for thread in self._threads:
            thread.join(timeout=20)


def gang_loop(args: dict[str, Any]) -> None:
    """What each worker of a gang runs: train what the mailbox hands over, until it sends the gang home."""
    torch.backends.cudnn.benchmark = True
    set_threads(args["threads"])
    context = ray.train.get_context()
    device = ray.train.torch.get_device()
    group = Group(context.get_world_rank(), context.get_world_size(), device)
    place = Workplace.open(group, open_store(args["data"]), args["memory_gb"])
    post = Post(args["mailbox"], args["slot"], place)
    while (assignment := post.next()) is not None:
        post.serve(assignment)


class Post:
    """One worker's end of the mailbox."""

    def __init__(self, mailbox: Any, slot: int, place: Workplace) -> None:
        """Report for duty."""
        self.mailbox, self.slot, self.place = mailbox, slot, place
        self.sequence = 0
        group = place.group
        name = torch.cuda.get_device_name(group.device) if group.device.type == "cuda" else "cpu"
        info = GangInfo(device=name, precision=precision(group.device), threads=torch.get_num_threads())
        generation = ray.get(mailbox.enlist.remote(slot, info)) if group.rank == 0 else 0
        self.generation = int(group.sum(torch.tensor(generation, device=group.device)))

    def next(self) -> Assignment | None:
        """Wait for an assignment; rank 0 takes it, the others follow, so that all train the same one."""
        if self.place.group.rank == 0:
            found = ray.get(self.mailbox.take.remote(self.slot, self.sequence))
        else:
            found = ray.get(self.mailbox.follow.remote(self.slot, self.generation, self.sequence))
        if found is None:
            return None
        self.sequence = found[0]
        assignment: Assignment = found[1]
        return assignment

    def serve(self, assignment: Assignment) -> None:
        """Train one assignment. What goes wrong in it is its outcome; a process that may be poisoned dies of it."""
        try:
            if assignment.kind == "test":
                if self.place.group.rank == 0:
                    write_predictions(Path(assignment.folder), self.place)
                    self._tell(EpochReport(trial=assignment.trial, epoch=1, status="complete"))
            else:
                self._train(assignment)
        except OutOfMemoryError as error:
            self._out_of_memory(assignment, error)
        except Exception as error:  # a trial's own error, of whatever kind, must not end the gang
            Path(assignment.folder).mkdir(parents=True, exist_ok=True)
            (Path(assignment.folder) / "error.txt").write_text(traceback.format_exc())
            if lost_peer(error):
                raise  # not this trial's doing: Ray Train restarts the group, and the trial resumes
            self._tell(failure(assignment.trial, f"{type(error).__name__}: {error}".splitlines()[0]))
            if self.place.group.world > 1 or "CUDA" in str(error):
                raise

    def _train(self, assignment: Assignment) -> None:
        run = TrialRun(assignment, self.place)
        while not run.done:
            report = run.epoch()
            if not _finite(report):
                report = failure(assignment.trial, "diverged", report.epoch)
            if run.done and assignment.kind == "winner" and self.place.group.rank == 0:
                write_weights(Path(assignment.folder), assignment, run)
            if not self._go_on(report, assignment):
                break
            if run.seconds_since_save() >= assignment.checkpoint_seconds:
                run.save()
        if self.place.group.rank == 0:
            run.forget()

    def _go_on(self, report: EpochReport, assignment: Assignment) -> bool:
        """Tell a report; whether to train on, as rank 0 hears it from the mailbox, waiting for the word at rungs."""
        verdict = False
        if self.place.group.rank == 0:
            self._tell(report)
            if report.status == "running":
                ask = self.mailbox.may_go_on if report.epoch in assignment.rungs else self.mailbox.is_current
                arguments = (report.epoch,) if report.epoch in assignment.rungs else ()
                verdict = ray.get(ask.remote(self.slot, self.sequence, *arguments))
        return self.place.group.from_first(verdict)

    def _out_of_memory(self, assignment: Assignment, error: OutOfMemoryError) -> None:
        if self.place.group.world == 1 or error.micro_batch < 1:
            self._tell(failure(assignment.trial, "out of memory"))
        else:
            ray.get(self.mailbox.shrink.remote(self.slot, self.sequence, error.micro_batch))
        if self.place.group.world > 1:
            raise error

    def _tell(self, report: EpochReport) -> None:
        ray.get(self.mailbox.report.remote(self.slot, self.sequence, report))


def _finite(report: EpochReport) -> bool:
    return all(abs(value) < float("inf") for value in (report.train_loss, report.val_loss))
