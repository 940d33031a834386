"""What each worker of a gang runs: train what the mailbox hands over, until it sends the gang home."""

import os
import time
import traceback
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import ray
import ray.train
import torch

from trainables.common.errors import DamagedError, OutOfMemoryError
from trainables.common.redaction import redact
from trainables.config import Assignment, EpochReport, failure
from trainables.data.store.data_summary import DataSummary
from trainables.data.store.store import open_store
from trainables.ray_compat import is_preempted, node_address
from trainables.storage.files import write_file
from trainables.storage.folders import forbid_creating
from trainables.storage.ownership import restrict_to_owner
from trainables.storage.search_storage import SearchStorage
from trainables.storage.trial_directory import TrialDirectory, open_trial_directory
from trainables.training import checkpoint as checkpoints
from trainables.training import device as devices
from trainables.training.loop import TrialRun
from trainables.training.profiling import probe
from trainables.training.timing import write_timing
from trainables.training.trial_outputs import (
    write_predictions,
    write_preview,
    write_validation_predictions,
    write_weights,
)
from trainables.workers.error_classification import classify
from trainables.workers.fault_reporter import FaultReporter, hold, one_line
from trainables.workers.gang_resources import GangShape
from trainables.workers.process_group import Group
from trainables.workers.slot_errors import OWN, ErrorKind
from trainables.workers.slot_state import GangInfo
from trainables.workers.worker_context import Workplace


def work(mailbox: Any, slot: int, data: DataSummary, shape: GangShape, home: SearchStorage) -> None:
    """Join the gang of `slot` and serve; what stands in the way of that ends the gang, with its reason."""
    restrict_to_owner()
    try:
        torch.backends.cudnn.benchmark = True
        _check_seen(home)
        devices.set_threads(shape.cpus)
        devices.set_precision(shape.precision)
        post = Post(mailbox, slot, Workplace.open(_join(shape.gpus > 0), open_store(data), shape.memory_gb), home)
    except Exception as error:  # trying again would meet the same error, for ever
        ray.get(mailbox.give_up.remote(slot, f"the gang cannot start: {one_line(error)}"))
        hold(mailbox, slot, shape)
        return
    while (assignment := post.next()) is not None:
        post.serve(assignment)
    hold(mailbox, slot, shape)


def _check_seen(home: SearchStorage) -> None:
    """Raise `RuntimeError` where this node does not see the search's folder, and would write beside it."""
    if not home.url and not os.path.isdir(home.folder):
        raise RuntimeError(f"node {node_address()} does not see results folder {home.folder!r}")


def _join(gpu: bool) -> Group:
    context = ray.train.get_context()
    rank, world = context.get_world_rank(), context.get_world_size()
    if not gpu:
        return Group(rank, world, torch.device("cpu"))
    device = torch.device("cuda", 0)  # alone, a worker sees no GPU but its own
    if world > 1:
        from ray.train.torch import get_device  # several see each other's, and Ray Train knows whose is which

        device = get_device()
    torch.cuda.set_device(device)
    return Group(rank, world, device)


class Post:
    """One worker's end of the mailbox."""

    def __init__(self, mailbox: Any, slot: int, place: Workplace, home: SearchStorage) -> None:
        """Report for duty."""
        self.mailbox, self.slot, self.place, self.home = mailbox, slot, place, home
        forbid_creating(Path(home.folder))
        self.sequence = 0
        self.answers: deque[Any] = deque()
        group = place.group
        name = torch.cuda.get_device_name(group.device) if group.device.type == "cuda" else "cpu"
        info = GangInfo(device=name, precision=devices.precision(group.device), threads=torch.get_num_threads())
        self.faults = FaultReporter(mailbox, slot, group.device, lambda: self.sequence)
        self.watchdog = self.faults.watchdog
        generation = ray.get(mailbox.enlist.remote(slot, info, self.faults.place)) if group.rank == 0 else 0
        self.told = time.perf_counter()
        self.generation = int(group.sum(torch.tensor(generation, device=group.device)))

    def next(self) -> Assignment | None:
        """Wait for an assignment; rank 0 takes it, the others follow, so that all train the same one."""
        self.answers.clear()
        self.watchdog.rest()
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
        desk = f"{self.slot} {self.place.group.rank}"
        self.watchdog.begin()
        with ExitStack() as held:
            try:
                visit = held.enter_context(open_trial_directory(self.home, assignment, desk))
            except OSError as error:  # nothing of the trial's has run: this node does not reach its folder
                self.faults.tell(ErrorKind.STORAGE, one_line(error))
                raise
            self._serve(visit)

    def _serve(self, visit: TrialDirectory) -> None:
        assignment, place = visit.assignment, replace(self.place, share=visit.upload, step=self.watchdog.step)
        try:
            if assignment.kind == "test":
                self._test(assignment, place)
            elif assignment.kind == "probe":
                self._probe(assignment, place)
            else:
                with closing(TrialRun(assignment, place)) as run:
                    self._run(run, assignment)
        except OutOfMemoryError as error:
            self._out_of_memory(assignment, error)
        except Exception as error:  # a trial's own error, of whatever kind, must not end the gang
            self._failed(assignment, error, place)

    def _failed(self, assignment: Assignment, error: Exception, place: Workplace) -> None:
        self.watchdog.step()
        kind = classify(error)
        said = redact(traceback.format_exc()).encode(errors="backslashreplace")
        with suppress(OSError, DamagedError):  # the same disk may be what failed
            write_file(Path(assignment.folder) / "error.txt", said)
        if kind not in OWN:
            self.faults.tell(kind, one_line(error))
            raise error  # Ray Train starts another process, and the trial goes on from its checkpoint
        checkpoints.remove_checkpoints(assignment.checkpoints)
        self._tell(failure(assignment.trial, one_line(error)))
        if place.group.world > 1 or "CUDA" in str(error):
            raise error

    def _test(self, assignment: Assignment, place: Workplace) -> None:
        if place.group.rank == 0:
            write_predictions(Path(assignment.folder), place)
            place.share()
            self._tell(EpochReport(trial=assignment.trial, epoch=1, status="complete"))

    def _probe(self, assignment: Assignment, place: Workplace) -> None:
        timing = probe(assignment, place)
        if place.group.rank == 0:
            write_timing(Path(assignment.folder), timing)
            place.share()
            self._tell(EpochReport(trial=assignment.trial, epoch=1, status="complete"))

    def _run(self, run: TrialRun, assignment: Assignment) -> None:
        for report in self._reports(run, assignment):
            said = report.model_copy(update={"trouble": run.trouble}) if run.trouble else report
            if not self._go_on(said, assignment):
                break
            if self.place.group.from_first(is_preempted()):
                run.keep()
                ray.get(self.mailbox.excuse.remote(self.slot))
            elif run.seconds_since_save() >= assignment.checkpoint_seconds:
                run.save()
        if report.status == "running":
            run.keep()  # it was told to stop, and may be told to go on
        elif report.status == "failed" and self.place.group.rank == 0:
            run.forget()

    def _reports(self, run: TrialRun, assignment: Assignment) -> Iterator[EpochReport]:
        """Reports of the epochs that the checkpoint has beyond those known, then of those trained here."""
        yield from [report for report in run.reports if report.epoch > assignment.known or run.done]
        while not run.done:
            wait = time.perf_counter() - self.told
            report = run.epoch().model_copy(update={"wait_seconds": wait})
            if not _finite(report):
                report = failure(assignment.trial, "diverged", report.epoch)
            elif run.done:
                self._leave_outcome(run, assignment)
                run.keep()
            elif report.epoch in assignment.rungs:
                run.keep()  # whoever is told to wait here may go on from another gang at once
            yield report

    def _go_on(self, report: EpochReport, assignment: Assignment) -> bool:
        """Tell a report; whether to train on, as rank 0 hears it from the mailbox."""
        verdict = False
        self.watchdog.rest()  # who decides may take their time, and the other workers wait for rank 0
        if self.place.group.rank == 0:
            self._tell(report, wait=report.epoch in assignment.rungs)
            verdict = report.status == "running" and self._verdict(report.epoch in assignment.rungs)
        goes_on = self.place.group.from_first(verdict)
        self.watchdog.step()
        return goes_on

    def _leave_outcome(self, run: TrialRun, assignment: Assignment) -> None:
        self.watchdog.begin()  # uploads take what they take
        if self.place.group.rank == 0 and assignment.kind == "winner":
            write_weights(Path(assignment.folder), assignment, run)
            write_preview(Path(assignment.folder), run)
        if self.place.group.rank == 0 and assignment.kind == "final":
            write_validation_predictions(Path(assignment.folder), run)
        run.place.share()

    def _out_of_memory(self, assignment: Assignment, error: OutOfMemoryError) -> None:
        if self.place.group.world == 1 or error.micro_batch < 1:
            self._tell(failure(assignment.trial, "out of memory"))
        else:
            ray.get(self.mailbox.shrink.remote(self.slot, self.sequence, error.micro_batch))
        if self.place.group.world > 1:
            raise error

    def _tell(self, report: EpochReport, wait: bool = False) -> None:
        self.told = time.perf_counter()
        said = report.model_copy(update={"slot": self.slot})
        self.answers.append(self.mailbox.report.remote(self.slot, self.sequence, said, wait))

    def _verdict(self, now: bool) -> bool:
        """Whether to train on: the answer to the newest report if `now`, else to the one before, which is there."""
        while len(self.answers) > (0 if now else 1):
            if not ray.get(self.answers.popleft()):
                return False
        return True


def _finite(report: EpochReport) -> bool:
    return all(abs(value) < float("inf") for value in (report.train_loss, report.val_loss))
