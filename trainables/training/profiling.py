"""A probe: times some steps and an evaluation of a configuration as a trial runs them, and keeps no result."""

import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from trainables.config import Assignment
from trainables.data.loading.epoch_plan import PlannedBatch
from trainables.data.loading.input_loader import make_loader
from trainables.models.model_registry import is_closed_form
from trainables.storage.folders import files_below, make_folder, remove_file, stat_path
from trainables.training.closed_form.closed_form_probe import probe_closed_form
from trainables.training.closed_form.closed_form_run import linear_layer
from trainables.training.device import evaluation_chunk, peak_memory, reset_peak_memory
from trainables.training.evaluation import evaluate
from trainables.training.features.feature_set import learns_from_features
from trainables.training.features.frozen_features import expected_seconds, known_backbone
from trainables.training.loop import TrialRun
from trainables.training.partial.activations import SampledLoader, as_seen, is_known
from trainables.training.partial.cached_views import views_are_cached
from trainables.training.partial.trained_part import TrainedPart, cut_part
from trainables.training.timing import Timing
from trainables.workers.worker_context import WorkerContext

T = TypeVar("T")
WARM_UP_STEPS = 2
"""Steps that are not timed: the first ones choose kernels and allocate memory."""
MOST_STEPS = 40
"""Steps after which a probe ends."""
MOST_SECONDS = 2.0
"""Seconds after which a probe ends, if it has timed a step."""


class EnoughStepsError(Exception):
    """A probe has timed enough steps; raised and caught in this module."""


def probe_trial(assignment: Assignment, context: WorkerContext) -> Timing:
    """Time the configuration of `assignment` on all workers of this gang; raises what training would raise."""
    if is_closed_form(assignment.config):
        return probe_closed_form(assignment, context)
    device = context.group.device
    reset_peak_memory(device)
    with closing(ProbeRun(assignment, context)) as run:
        step_seconds = run.time_steps()
        evaluation_seconds = run.time_evaluation()
        return Timing(
            config=assignment.config, steps=run.steps_an_epoch, step_seconds=step_seconds,
            evaluation_seconds=evaluation_seconds, setup_seconds=run.setup_seconds - run.sampling_seconds,
            once_seconds=run.once_seconds, features_mb=run.features_mb, memory_mb=peak_memory(device) / 1e6,
            checkpoint_mb=run.measure_checkpoint(), parameters=run.parameters, micro_batch=run.micro_batch,
        )  # fmt: skip


class ProbeRun(TrialRun):
    """A trial that stops in its first epoch, and does not compute the features of the whole data set."""

    def __init__(self, assignment: Assignment, context: WorkerContext) -> None:
        """Build what a trial builds."""
        self.once_seconds = self.sampling_seconds = self.features_mb = 0.0
        self._ends: list[float] = []
        super().__init__(assignment, context)

    def _open_part(self) -> TrainedPart:
        """As in a trial; what is not on disk is made up, and its cost is that of a sample of the images."""
        config, store, device = self.assignment.config, self.context.store, self.context.group.device
        if views_are_cached(config) and not learns_from_features(config):
            return self._sample_views() or super()._open_part()
        if not learns_from_features(config) or known_backbone(config, store, device) is not None:
            return super()._open_part()
        started = time.perf_counter()
        self.once_seconds = expected_seconds(config, store, device)
        width = linear_layer(self.model.network.head).in_features
        folder = Path(self.assignment.folder)
        make_folder(folder)
        file = folder / f"blank-{self.context.group.rank}.npy"  # a sparse file: it takes no disk
        blank = np.lib.format.open_memmap(file, mode="w+", dtype=np.float32, shape=(len(store.labels), width))
        remove_file(file)  # the mapping stays valid
        self.features_mb = blank.nbytes / 1e6
        self.sampling_seconds = time.perf_counter() - started
        data = make_loader(blank, store.labels, device, self.context.feature_bytes)
        return TrainedPart(self.model.network.head, data)

    def _begin_as_probe(self) -> None:
        """Nothing: the head's values do not change what a step takes."""

    def _sample_views(self) -> TrainedPart | None:
        """The part with activations of a sample of the images in place of all; None if all are on disk."""
        part, lower = cut_part(self.model, self.assignment.config, self.context)
        missing = [view for view in part.views if not is_known(lower, view)]
        if not missing:
            return None
        started, count = time.perf_counter(), len(self.context.store.labels)
        rows = np.arange(min(count, evaluation_chunk(lower.device, lower.preprocess.spec.pixels)))
        lower.compute(rows[:16], missing[0])
        seconds, sample = self._timed(lambda: lower.compute(rows, missing[0]))
        self.once_seconds = seconds * count / len(rows) * len(missing)
        self.features_mb = sample[0].nbytes * count * len(missing) / 1e6
        self.sampling_seconds = time.perf_counter() - started
        return part.with_inputs(SampledLoader(labels=lower.labels, inputs=as_seen(sample)))

    def time_steps(self) -> float:
        """Mean seconds of a step; repeats the epochs of a small data set."""
        with suppress(EnoughStepsError):
            while True:
                self.epochs = 0
                self._ends.append(self._now())
                self.train_epoch()
                self._ends.append(float("nan"))  # evaluation lies between
        counted = np.diff(self._ends)
        counted = counted[~np.isnan(counted)]
        return float(counted[WARM_UP_STEPS:].mean() if len(counted) > WARM_UP_STEPS else counted[-1])

    def _step(self, batch: PlannedBatch, inputs: Tensor) -> Tensor:
        """A step of the trial; raises `EnoughStepsError` after the last one."""
        loss = super()._step(batch, inputs)
        self._ends.append(self._now())
        steps, seconds = len(self._ends) - 1, self._ends[-1] - self._ends[0]
        if self.context.group.broadcast_flag(
            steps >= WARM_UP_STEPS + MOST_STEPS or (steps >= 2 and seconds > MOST_SECONDS)
        ):
            raise EnoughStepsError
        return loss

    def time_evaluation(self) -> float:
        """Seconds to score the validation split, estimated from one chunk a worker."""
        inputs, rows, group = self.evaluation_inputs(), self.context.store.rows("val"), self.context.group
        sample = rows[: inputs.chunk * group.world_size]
        evaluate(self.averaged, inputs, sample, group)
        seconds, _ = self._timed(lambda: evaluate(self.averaged, inputs, sample, group))
        return seconds * len(rows) / len(sample)

    def measure_checkpoint(self) -> float:
        """Size of a checkpoint in MB (10^6 bytes); writes one and deletes it."""
        self.save()
        self.close()
        if self.context.group.rank > 0:
            return 0.0
        size = sum(found.st_size for _, file in files_below(self.folder) if (found := stat_path(file)))
        self.delete_checkpoints()
        return size / 1e6

    def _timed(self, work: Callable[[], T]) -> tuple[float, T]:
        started = self._now()
        found = work()
        return self._now() - started, found

    def _now(self) -> float:
        """The time in seconds, after the device has finished its work."""
        if self.context.group.device.type == "cuda":
            torch.cuda.synchronize(self.context.group.device)
        return time.perf_counter()
