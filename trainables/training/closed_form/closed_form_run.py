"""One assignment whose head is solved for, not trained: it has one report, at its full length."""

import time

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trainables.config import Assignment, EpochReport
from trainables.data.store.store import SCORED_ON, TRAINED_ON
from trainables.metrics.metric_registry import report_scores
from trainables.models.build_model import build_head, build_model
from trainables.models.classifier import Classifier
from trainables.training.closed_form.fit_head import fit_to_views, mean_features
from trainables.training.closed_form.neighbours import MOST_QUERIES, neighbour_accuracy, report_check
from trainables.training.evaluation import EvaluationInputs, evaluate, weights_lookup
from trainables.training.features.frozen_features import feature_views, known_backbone
from trainables.workers.worker_context import WorkerContext

FEATURES_CHUNK = 8192
"""Features in one forward pass of an evaluation."""
MOST_KNOWN = 10_000
"""Training images among which neighbours are looked for, at most."""


class ClosedFormRun:
    """What a worker asks of a training, for a head that is solved for: one `train_epoch()`, and no checkpoints."""

    trouble = ""
    """Why its newest checkpoint could not be written: it has none, and one that is interrupted is solved again."""

    def __init__(self, assignment: Assignment, context: WorkerContext) -> None:
        """Compute the features of the frozen backbone, where they are not on this node, and build the network."""
        started = time.perf_counter()
        self.assignment, self.context = assignment, context
        config, store, device = assignment.config, context.store, context.group.device
        self.rows = store.rows(TRAINED_ON[assignment.kind], assignment.fold)
        self.views = feature_views(config, store, device, context.on_step)
        self.shared_seconds = time.perf_counter() - started
        self.model, unseen = self._build()
        self.model.to(device).eval()
        self.parameters = unseen + sum(p.numel() for p in self.model.parameters())
        self.reports: list[EpochReport] = []
        self.setup_seconds = time.perf_counter() - started

    def _build(self) -> tuple[Classifier, int]:
        """The classifier, and the parameters of the backbone that is not loaded; a winner is kept whole."""
        config, store = self.assignment.config, self.context.store
        known = known_backbone(config, store, self.context.group.device)
        if self.assignment.kind == "winner" or known is None:
            return build_model(config, store.summary), 0
        return build_head(config, store.summary, known.spec, known.features), known.parameters

    @property
    def done(self) -> bool:
        """Whether the head is there."""
        return bool(self.reports)

    @property
    def averaged(self) -> nn.Module:
        """The part of the network that is evaluated on `evaluation_inputs`."""
        return FullPrecisionHead(self.model.network.head)

    def evaluation_inputs(self) -> EvaluationInputs:
        """Features of images: the mean of all views, which gives the mean of their logits."""
        labels, device = self.context.store.labels, self.context.group.device
        return EvaluationInputs(
            of=lambda rows: mean_features(self.views, rows, device),
            labels_of=lambda rows: torch.from_numpy(labels[rows]).to(device),
            chunk=FEATURES_CHUNK, classes=len(self.context.store.summary.classes),
            weights_of=weights_lookup(self.assignment, self.context.store, device),
        )  # fmt: skip

    def train_epoch(self) -> EpochReport:
        """Solve for the head, on rank 0, and score the validation split (a winner has none) on all workers."""
        started = time.perf_counter()
        assignment, group = self.assignment, self.context.group
        self._solve()
        trained = time.perf_counter() - started
        train = evaluate(self.averaged, self.evaluation_inputs(), self.rows, group)
        scored = {}
        if assignment.kind != "winner":
            rows = self.context.store.rows(SCORED_ON[assignment.kind], assignment.fold)
            counts = evaluate(self.averaged, self.evaluation_inputs(), rows, group)
            scored = report_scores(assignment.metric, counts)
            if group.rank == 0:
                self._check(rows, counts.accuracy)
        seconds = time.perf_counter() - started
        report = EpochReport(
            trial=assignment.trial, epoch=assignment.max_epochs, **scored, train_loss=train.mean_loss, seconds=seconds,
            total_seconds=self.setup_seconds + seconds, images_per_second=len(self.rows) / trained,
            parameters=self.parameters, setup_seconds=self.setup_seconds, shared_seconds=self.shared_seconds,
            status="complete",
        )  # fmt: skip
        self.reports.append(report)
        return report

    @torch.no_grad()
    def _solve(self) -> None:
        """Set the network's head to what rank 0 finds."""
        group, linear = self.context.group, linear_layer(self.model.network.head)
        linear.weight.zero_()
        linear.bias.zero_()
        if group.rank == 0:
            config, store, on_step = self.assignment.config, self.context.store, self.context.on_step
            found = fit_to_views(self.views, config, store, self.rows, group.device, on_step)
            linear.weight.copy_(found.weight)
            linear.bias.copy_(found.bias)
        group.sum(linear.weight)  # the others hold zeros
        group.sum(linear.bias)

    def _check(self, scored: NDArray[np.int64], accuracy: float) -> None:
        """Compare the regression with neighbours among the images that it is fitted to."""
        inputs = self.evaluation_inputs()
        fitted, asked = spread(self.rows, MOST_KNOWN), spread(scored, MOST_QUERIES)
        found = neighbour_accuracy(
            inputs.of(fitted), inputs.labels_of(fitted), inputs.of(asked), inputs.labels_of(asked), inputs.classes
        )
        report_check(f"{self.assignment.trial}, {self.assignment.config.model}", accuracy, found)

    def averaged_state(self) -> dict[str, Tensor]:
        """Weights of the whole classifier, on the CPU."""
        return {name: tensor.detach().cpu().contiguous() for name, tensor in self.model.state_dict().items()}

    def save(self) -> None:
        """Nothing: solving again takes seconds."""

    save_and_wait = delete_checkpoints = close = save

    def seconds_since_save(self) -> float:
        """Nothing is lost that a checkpoint would keep."""
        return 0.0


class FullPrecisionHead(nn.Module):
    """A head in float32, as it was fitted, also where networks run in bf16: an exported one does, too."""

    def __init__(self, head: nn.Module) -> None:
        """Run `head`."""
        super().__init__()
        self.head = head

    def forward(self, features: Tensor) -> Tensor:
        """Logits (n, classes) of features (n, features)."""
        with torch.autocast(features.device.type, enabled=False):
            logits: Tensor = self.head(features)
        return logits


def spread(rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """At most so many of `rows`, evenly spread over them: they may be in the order of their classes."""
    return rows[:: -(-len(rows) // most) or 1]


def linear_layer(head: nn.Module) -> nn.Linear:
    """The linear layer of a head."""
    return next(module for module in head.modules() if isinstance(module, nn.Linear))
