"""The training loop of one assignment, on one worker or several."""

import time
from contextlib import closing
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from trainables.common.errors import OutOfMemoryError
from trainables.config import Assignment, EpochReport
from trainables.data.loading.epoch_plan import (
    Mixing,
    PlannedBatch,
    batch_count,
    check_shares,
    epoch_plan,
    slice_share,
)
from trainables.data.store.store import SCORED_ON, TRAINED_ON, RowSelection
from trainables.metrics.metric_registry import report_scores
from trainables.models.build_model import build_head, build_model
from trainables.models.classifier import Classifier
from trainables.models.model_registry import is_pretrained
from trainables.models.whitening import fit_whitening
from trainables.training import checkpoint as checkpoints
from trainables.training.batches import TrainingBatches, random_parts
from trainables.training.batchnorm_recalibration import STATISTICS_IMAGES, recalibrate
from trainables.training.device import autocast
from trainables.training.distillation import Teacher, divergence
from trainables.training.evaluation import EvaluationInputs, evaluate
from trainables.training.features.feature_set import learns_from_features
from trainables.training.features.frozen_features import known_backbone
from trainables.training.optimizers import make_optimizer, schedule, set_rate
from trainables.training.partial.head_start import begin_as_probe, begins_as_probe
from trainables.training.partial.trained_part import TrainedPart, evaluation_inputs, open_part
from trainables.training.snapshot import assignment_digest, restore_snapshot, take_snapshot
from trainables.training.weight_averaging import WeightAveraging
from trainables.workers.error_classification import is_out_of_memory
from trainables.workers.worker_context import WorkerContext


class TrialRun:
    """One assignment in training: call `train_epoch()` until `done`, and `save()` between epochs."""

    def __init__(self, assignment: Assignment, context: WorkerContext) -> None:
        """Build network, optimizer and average, and resume from the newest checkpoint in the assignment's folder."""
        started = time.perf_counter()
        config, group, store = assignment.config, context.group, context.store
        self.rows = store.rows(TRAINED_ON[assignment.kind], assignment.fold)
        check_shares(len(self.rows), config.batch_size, group.world_size)
        torch.manual_seed(assignment.seed)
        self.assignment, self.context = assignment, context
        self.folder = assignment.checkpoints
        self.model, unseen = self._build()
        self.parameters = unseen + sum(p.numel() for p in self.model.parameters())
        split: RowSelection = "final-train" if assignment.kind == "final" else "train"
        fit_whitening(self.model, store, split, assignment.fold)
        self.model.to(group.device).to(memory_format=torch.channels_last)
        opened = time.perf_counter()
        self.part = self._open_part()
        self.data, self.learner = self.part.data, self.part.module
        found = self._find_checkpoint()
        if begins_as_probe(config) and group.broadcast_flag(found is None):
            self._begin_as_probe()
        self.shared_seconds = 0.0 if self.part.preprocess else time.perf_counter() - opened
        self.module = group.wrap(self.learner)
        torch.manual_seed(assignment.seed * 1000 + group.rank)  # from here on: dropout, of its own in each worker
        self.optimizer = make_optimizer(config, self.model.network, is_pretrained(config.model))
        self.averaging = WeightAveraging(self.learner)
        squares = random_parts(config, store, self.model.preprocess.spec)
        self.batches = TrainingBatches(
            config, self.data, self.rows, self.part.preprocess, store.weights, squares,
            self.part.view_rows.trained if self.part.view_rows else None,
        )  # fmt: skip
        self.teacher = Teacher(Path(assignment.teacher), context, self.batches) if assignment.teacher else None
        self.steps_an_epoch = batch_count(len(self.rows), config.batch_size)
        self.micro_batch = assignment.micro_batch
        self.epochs, self.total_seconds = 0, 0.0
        self.reports: list[EpochReport] = []
        self._saved_epoch = -1
        self._writer = checkpoints.CheckpointWriter(self.folder, context.upload)
        if found is not None:
            restore_snapshot(self, found)
            self._saved_epoch = self.epochs
        self._begun = self.epochs
        self.saved_at = time.perf_counter()
        self.setup_seconds = self.saved_at - started
        self.total_seconds += self.setup_seconds

    def _build(self) -> tuple[Classifier, int]:
        """The classifier, and the parameters of a frozen backbone that is not loaded: its features are on disk."""
        config, store = self.assignment.config, self.context.store
        if learns_from_features(config) and self.assignment.kind != "winner":  # a winner is kept whole
            known = known_backbone(config, store, self.context.group.device)
            if known is not None:
                return build_head(config, store.summary, known.spec, known.features), known.parameters
        return build_model(config, store.summary), 0

    def _open_part(self) -> TrainedPart:
        """What is trained, and its inputs."""
        return open_part(self.model, self.assignment, self.context)

    def _begin_as_probe(self) -> None:
        """Fit the head to the frozen features of the images that are trained on."""
        begin_as_probe(self.model.network.head, self.assignment.config, self.rows, self.context)

    def evaluation_inputs(self) -> EvaluationInputs:
        """Inputs of an evaluation."""
        return evaluation_inputs(self.part, self.assignment, self.context)

    @property
    def done(self) -> bool:
        """Whether all epochs are trained."""
        return self.epochs >= self.assignment.max_epochs

    @property
    def averaged(self) -> nn.Module:
        """The network with averaged weights, which is evaluated and exported."""
        return self.averaging.module

    def train_epoch(self) -> EpochReport:
        """Train one epoch, then score the validation split (a winner has none); figures are of all workers."""
        started = time.perf_counter()
        group, assignment, config = self.context.group, self.assignment, self.assignment.config
        self.module.train()
        plan = epoch_plan(
            len(self.rows), config.batch_size, assignment.seed, self.epochs,
            Mixing.from_config(config, self.context.store.labels[self.rows]), group.shard,
        )  # fmt: skip
        loss = torch.zeros((), device=group.device)
        with closing(self.batches.load_ahead(plan)) as feed:
            for step, (batch, inputs) in enumerate(feed, start=self.epochs * self.steps_an_epoch):
                set_rate(self.optimizer, self.learning_rate_factor(step))
                loss += self._step(batch, inputs)
        self.epochs += 1
        train_loss = float(group.sum(loss)) / len(self.rows)
        trained = time.perf_counter() - started
        scored = {}
        if assignment.kind != "winner" or self.done:
            self.recalibrate_averaged()
        if assignment.kind != "winner":
            rows = self.context.store.rows(SCORED_ON[assignment.kind], assignment.fold)
            scored = report_scores(assignment.metric, evaluate(self.averaged, self.evaluation_inputs(), rows, group))
        seconds = time.perf_counter() - started
        self.total_seconds += seconds
        report = EpochReport(
            trial=assignment.trial, epoch=self.epochs, **scored, train_loss=train_loss,
            seconds=seconds, total_seconds=self.total_seconds, images_per_second=len(self.rows) / trained,
            parameters=self.parameters, micro_batch=self.micro_batch,
            setup_seconds=self.setup_seconds if self.epochs == self._begun + 1 else 0.0,
            status="complete" if self.done else "running",
        )  # fmt: skip
        self.reports.append(report)
        return report

    def recalibrate_averaged(self) -> None:
        """Compute batch norm's statistics of the averaged weights from training images, and copy the other buffers."""
        self.averaging.copy_buffers()
        world, batch = self.context.group.world_size, self.assignment.config.batch_size
        size = min(batch, self.micro_batch * world) if self.micro_batch else batch  # as in training, so they fit
        rows = np.random.default_rng(self.assignment.seed).permutation(self.rows)[:STATISTICS_IMAGES]
        batches = np.array_split(rows, min(batch_count(len(rows), size), len(rows) // world))
        recalibrate(self.averaged, self.evaluation_inputs(), batches, self.context.group)

    def learning_rate_factor(self, step: int) -> float:
        """Factor on the peak learning rate at a step, counted from the start of the trial."""
        return schedule(step, self.steps_an_epoch * self.assignment.max_epochs, self.assignment.config.warmup)

    def _step(self, batch: PlannedBatch, inputs: Tensor) -> Tensor:
        """One optimizer step; returns this worker's summed loss. Halves the micro-batch while memory is short."""
        self.context.on_step()
        while True:
            try:
                loss = self._gradients(batch, inputs)
                break
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            self._halve_micro_batch(len(batch.rows))
        config = self.assignment.config
        if config.grad_clip:
            nn.utils.clip_grad_norm_(self.module.parameters(), config.grad_clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.averaging.update()
        return loss

    def _gradients(self, batch: PlannedBatch, inputs: Tensor) -> Tensor:
        """Compute gradients of the mean loss of the batch, summed over micro-batches and averaged over workers."""
        world = self.context.group.world_size
        total = torch.zeros((), device=self.context.group.device)
        parts = slice_share(len(batch.rows), batch.total, world, self.micro_batch)
        for part in parts:
            with torch.enable_grad() if part is parts[-1] else self.context.group.local_gradients(self.module):
                loss = self._loss(batch, inputs, part)
                # Workers' gradients are averaged, so each weighs its share of the sum by their number.
                (loss * (world / batch.total)).backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        return total

    def _halve_micro_batch(self, share: int) -> None:
        """Halve the micro-batch; several workers start again instead, their collective operations being out of step."""
        self.optimizer.zero_grad(set_to_none=True)
        self.micro_batch = (self.micro_batch or share) // 2
        if self.context.group.device.type == "cuda":
            torch.cuda.empty_cache()
        if self.micro_batch < 1 or self.context.group.world_size > 1:
            raise OutOfMemoryError(self.micro_batch)

    def _loss(self, batch: PlannedBatch, wanted: Tensor, part: slice) -> Tensor:
        """Summed loss of a slice of this worker's rows, whose stored inputs, and then partners', are `wanted`."""
        inputs, share = self.batches.inputs(batch, wanted, part)
        with autocast(inputs.device):
            logits = self.module(inputs)
        if self.teacher is not None:
            answers = self.teacher.logits(batch, part, wanted, inputs)
            return self.batches.sum_weighted(divergence(logits, answers), batch, part, share)
        return self.batches.loss(logits, batch, part, share)

    def save(self) -> None:
        """Begin to write a copy of this epoch's state as a checkpoint, while training continues.

        Rank 0 writes it for the gang; every worker resumes from it.
        """
        if self.context.group.rank == 0:
            self._writer.write(take_snapshot(self))
        self.saved_at = time.perf_counter()

    def save_and_wait(self) -> None:
        """Write a checkpoint of this epoch, unless it is written, and wait for it: another gang may resume from it."""
        if self.context.group.rank == 0 and self._saved_epoch != self.epochs:
            self._writer.keep(take_snapshot(self))
        self._saved_epoch = self.epochs
        self.saved_at = time.perf_counter()

    @property
    def trouble(self) -> str:
        """Why the newest checkpoint could not be written; empty where it could."""
        return self._writer.trouble

    def close(self) -> None:
        """Wait for the checkpoint that is being written."""
        self._writer.close()

    def seconds_since_save(self) -> float:
        """Seconds since the last checkpoint, or the start."""
        return time.perf_counter() - self.saved_at

    def delete_checkpoints(self) -> None:
        """Delete the checkpoints of this trial, which has ended."""
        self.close()
        checkpoints.remove_checkpoints(self.folder)

    def _find_checkpoint(self) -> checkpoints.Checkpoint | None:
        found = checkpoints.read_checkpoint(self.folder)
        return found if found is not None and found.of in {"", assignment_digest(self.assignment)} else None

    def averaged_state(self) -> dict[str, Tensor]:
        """Averaged weights of the whole classifier, on the CPU."""
        self.learner.load_state_dict(self.averaged.state_dict())
        return {name: tensor.detach().cpu().contiguous() for name, tensor in self.model.state_dict().items()}
