"""The loop of each worker of a gang: train the assignments that the broker hands over, until it stops the gang."""

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

from trainables.common.errors import DamagedError, OutOfMemoryError, PoisonedDeviceError
from trainables.common.redaction import redact
from trainables.config import Assignment, EpochReport, failure
from trainables.custom.custom_code import CustomCode
from trainables.custom.register import register
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
from trainables.training.profiling import probe_trial
from trainables.training.start_training import Training, start_training
from trainables.training.timing import write_timing
from trainables.training.trial_outputs import (
    write_predictions,
    write_preview,
    write_validation_predictions,
    write_weights,
)
from trainables.workers.error_classification import classify, is_poisoned
from trainables.workers.fault_reporter import FaultReporter, hold_resources, one_line
from trainables.workers.gang_resources import GangResources
from trainables.workers.slot_client import AbandonedError, AbandonmentCheck
from trainables.workers.slot_errors import TRIAL_KINDS, ErrorKind
from trainables.workers.slot_state import GangInfo
from trainables.workers.worker_context import ProcessGroup, WorkerContext


def work(
    broker: Any, slot: int, data: DataSummary, resources: GangResources, storage: SearchStorage, code: CustomCode
) -> None:
    """Join the gang of `slot` and train its assignments; an error before the first one retires the slot."""
    restrict_to_owner()
    try:
        register(code)
        torch.backends.cudnn.benchmark = True
        _check_folder(storage)
        devices.set_threads(resources.cpus)
        devices.set_precision(resources.precision)
        client = WorkerClient(
            broker, slot, WorkerContext.open(_join(resources.gpus > 0), open_store(data), resources.memory_gb), storage
        )
    except Exception as error:  # another start would raise the same error
        ray.get(broker.retire.remote(slot, f"the gang cannot start: {one_line(error)}"))
        hold_resources(broker, slot, resources)
        return
    while (assignment := client.next_assignment()) is not None:
        client.serve(assignment)
    hold_resources(broker, slot, resources)


def _check_folder(home: SearchStorage) -> None:
    """Raise `RuntimeError` where this node does not see the search's folder, and would write to a folder of its own."""
    if not home.url and not os.path.isdir(home.folder):
        raise RuntimeError(f"node {node_address()} does not see results folder {home.folder!r}")


def _join(gpu: bool) -> ProcessGroup:
    context = ray.train.get_context()
    rank, world = context.get_world_rank(), context.get_world_size()
    if not gpu:
        return ProcessGroup(rank, world, torch.device("cpu"))
    device = torch.device("cuda", 0)  # the only worker of a gang sees its own GPU only
    if world > 1:
        from ray.train.torch import get_device  # several workers see each other's GPUs

        device = get_device()
    torch.cuda.set_device(device)
    return ProcessGroup(rank, world, device)


class WorkerClient:
    """One worker's connection to the broker."""

    def __init__(self, broker: Any, slot: int, context: WorkerContext, home: SearchStorage) -> None:
        """Register with the broker."""
        self.broker, self.slot, self.context, self.home = broker, slot, context, home
        forbid_creating(Path(home.folder))
        self.sequence = 0
        self.answers: deque[Any] = deque()
        group = context.group
        name = torch.cuda.get_device_name(group.device) if group.device.type == "cuda" else "cpu"
        info = GangInfo(device=name, precision=devices.precision(group.device), threads=torch.get_num_threads())
        self.faults = FaultReporter(broker, slot, group.device, lambda: self.sequence)
        self.watchdog = self.faults.watchdog
        self.abandonment = AbandonmentCheck(broker, slot)
        generation = ray.get(broker.register.remote(slot, info, self.faults.location)) if group.rank == 0 else 0
        self.reported_at = time.perf_counter()
        self.generation = int(group.sum(torch.tensor(generation, device=group.device)))

    def next_assignment(self) -> Assignment | None:
        """Wait for an assignment, None at the end; rank 0 takes it, and the other ranks follow it."""
        self.answers.clear()
        self.watchdog.pause()
        if self.context.group.rank == 0:
            found = ray.get(self.broker.next_assignment.remote(self.slot, self.sequence))
        else:
            found = ray.get(self.broker.follow_assignment.remote(self.slot, self.generation, self.sequence))
        if found is None:
            return None
        self.sequence = found[0]
        assignment: Assignment = found[1]
        return assignment

    def serve(self, assignment: Assignment) -> None:
        """Train one assignment. An error of the trial is its outcome; after others, the process ends."""
        worker = f"{self.slot} {self.context.group.rank}"
        self.watchdog.start()
        with ExitStack() as held:
            try:
                visit = held.enter_context(open_trial_directory(self.home, assignment, worker))
            except OSError as error:  # no code of the trial has run: this node does not reach its folder
                self.faults.report(ErrorKind.STORAGE, one_line(error))
                raise
            held.enter_context(devices.lent_threads(assignment.threads))
            self._serve(visit)

    def _serve(self, visit: TrialDirectory) -> None:
        assignment, context = visit.assignment, replace(self.context, upload=visit.upload, on_step=self._step)
        if context.group.world_size == 1:
            self.abandonment.start(self.sequence)
        try:
            if assignment.kind == "test":
                self._run_test(assignment, context)
            elif assignment.kind == "probe":
                self._run_probe(assignment, context)
            else:
                with closing(start_training(assignment, context)) as run:
                    self._run_trial(run, assignment)
        except AbandonedError:
            return  # its newest checkpoint stays
        except OutOfMemoryError as error:
            self._handle_out_of_memory(assignment, error)
        except Exception as error:  # an error of the trial, of any type, must not end the gang
            self._handle_error(assignment, error, context)

    def _step(self) -> None:
        self.watchdog.step()
        self.abandonment.step()

    def _handle_error(self, assignment: Assignment, error: Exception, context: WorkerContext) -> None:
        self.watchdog.step()
        kind = classify(error)
        said = redact(traceback.format_exc()).encode(errors="backslashreplace")
        with suppress(OSError, DamagedError):  # the disk may be the cause
            write_file(Path(assignment.folder) / "error.txt", said)
        if kind not in TRIAL_KINDS:
            self.faults.report(kind, one_line(error))
            raise error  # Ray Train starts another process, and the trial resumes from its checkpoint
        checkpoints.remove_checkpoints(assignment.checkpoints)
        self._report(failure(assignment.trial, one_line(error)))
        if is_poisoned(error):
            raise PoisonedDeviceError(one_line(error)) from error
        if context.group.world_size > 1:
            raise error

    def _run_test(self, assignment: Assignment, context: WorkerContext) -> None:
        if context.group.rank == 0:
            write_predictions(Path(assignment.folder), context, assignment.weighted)
            context.upload()
            self._report(EpochReport(trial=assignment.trial, epoch=1, status="complete"))

    def _run_probe(self, assignment: Assignment, context: WorkerContext) -> None:
        timing = probe_trial(assignment, context)
        if context.group.rank == 0:
            write_timing(Path(assignment.folder), timing)
            context.upload()
            self._report(EpochReport(trial=assignment.trial, epoch=1, status="complete"))

    def _run_trial(self, run: Training, assignment: Assignment) -> None:
        for report in self._reports(run, assignment):
            said = report.model_copy(update={"trouble": run.trouble}) if run.trouble else report
            if not self._report_and_wait(said, assignment):
                break
            if self.context.group.broadcast_flag(is_preempted()):
                run.save_and_wait()
                ray.get(self.broker.mark_preempted.remote(self.slot))
            elif run.seconds_since_save() >= assignment.checkpoint_seconds:
                run.save()
        if report.status == "running":
            run.save_and_wait()  # it is paused, and may be resumed
        elif report.status == "failed" and self.context.group.rank == 0:
            run.delete_checkpoints()

    def _reports(self, run: Training, assignment: Assignment) -> Iterator[EpochReport]:
        """Reports of epochs in the checkpoint that are not recorded yet, then of epochs trained here."""
        yield from [report for report in run.reports if report.epoch > assignment.known or run.done]
        while not run.done:
            wait = time.perf_counter() - self.reported_at
            report = run.train_epoch().model_copy(update={"wait_seconds": wait})
            trained = time.perf_counter()
            if not _finite(report):
                report = failure(assignment.trial, "diverged", report.epoch)
            elif run.done:
                self._write_outcome(run, assignment)
                run.save_and_wait()
            elif report.epoch in assignment.rungs:
                run.save_and_wait()  # a trial that is paused here may be resumed by another gang at once
            yield report.model_copy(update={"save_seconds": time.perf_counter() - trained})

    def _report_and_wait(self, report: EpochReport, assignment: Assignment) -> bool:
        """Report an epoch; returns the broker's decision whether to train on, which rank 0 gets for all ranks."""
        is_continued = False
        self.watchdog.pause()  # the decision may take long, and the other workers wait for rank 0
        if self.context.group.rank == 0:
            self._report(report, wait=report.epoch in assignment.rungs)
            is_continued = report.status == "running" and self._is_continued(report.epoch in assignment.rungs)
        is_continued = self.context.group.broadcast_flag(is_continued)
        self.watchdog.step()
        return is_continued

    def _write_outcome(self, run: Training, assignment: Assignment) -> None:
        self.watchdog.start()  # an upload has no time limit
        self.abandonment.stop()  # what is complete is written whole
        if self.context.group.rank == 0 and assignment.kind == "winner":
            write_weights(Path(assignment.folder), assignment, run)
            write_preview(Path(assignment.folder), run)
        if self.context.group.rank == 0 and assignment.kind in {"search", "final"}:
            write_validation_predictions(Path(assignment.folder), run)
        run.context.upload()

    def _handle_out_of_memory(self, assignment: Assignment, error: OutOfMemoryError) -> None:
        if self.context.group.world_size == 1 or error.micro_batch < 1:
            self._report(failure(assignment.trial, "out of memory"))
        else:
            ray.get(self.broker.shrink_micro_batch.remote(self.slot, self.sequence, error.micro_batch))
        if self.context.group.world_size > 1:
            raise error

    def _report(self, report: EpochReport, wait: bool = False) -> None:
        self.reported_at = time.perf_counter()
        said = report.model_copy(update={"slot": self.slot})
        self.answers.append(self.broker.report.remote(self.slot, self.sequence, said, wait))

    def _is_continued(self, now: bool) -> bool:
        """Whether to train on: the answer to the newest report if `now`, else the answer to the one before."""
        while len(self.answers) > (0 if now else 1):
            if not ray.get(self.answers.popleft()):
                return False
        return True


def _finite(report: EpochReport) -> bool:
    return all(abs(value) < float("inf") for value in (report.train_loss, report.val_loss))
