"""Snapshots: the state of a trial in training as a checkpoint, and back."""

import hashlib
from typing import Any, Protocol

import torch
from torch import nn

from trainables.config import Assignment, EpochReport
from trainables.training.checkpoint import Checkpoint, optimizer_tensors, restore_optimizer, with_prefix
from trainables.training.weight_averaging import WeightAveraging
from trainables.workers.worker_context import WorkerContext

ADDED: dict[str, Any] = {
    "translate": 0,
    "fit": "crop",
    "crop_scale": 1.0,
    "head_solver": "gradient",
    "head_init": "random",
    "cached_views": 0,
    "custom": {},
}
"""Hyperparameters that checkpoints of earlier versions do not have, and the value that trained alike then."""


class TrainingState(Protocol):
    """What a checkpoint holds of a trial in training."""

    assignment: Assignment
    """What is trained."""
    context: WorkerContext
    """Where it is trained."""
    learner: nn.Module
    """The part of the network that has learnt weights."""
    averaging: WeightAveraging
    """The average of those weights."""
    optimizer: torch.optim.Optimizer
    """The optimizer, and its state."""
    epochs: int
    """Epochs trained so far."""
    total_seconds: float
    """Seconds that they took."""
    reports: list[EpochReport]
    """Their reports."""
    micro_batch: int
    """Images of a forward pass a worker, after out-of-memory halvings; else 0."""


def take_snapshot(run: TrainingState) -> Checkpoint:
    """All state that `run` needs to resume from the end of this epoch."""
    tensors = {f"weights.{k}": v for k, v in run.learner.state_dict().items()}
    tensors |= {f"average.{k}": v for k, v in run.averaging.state_dict().items()}
    tensors |= optimizer_tensors(run.optimizer)
    tensors["generator"] = torch.get_rng_state()
    of = assignment_digest(run.assignment)
    return Checkpoint(run.epochs, run.micro_batch, run.total_seconds, tuple(run.reports), tensors, of)


def assignment_digest(assignment: Assignment) -> str:
    """Digest of what is trained. The name of a trial does not suffice: a study that lost its last seconds reuses it."""
    known = assignment.config.model_dump().items()
    config = {name: value for name, value in known if name not in ADDED or ADDED[name] != value}
    fold = (assignment.fold,) if assignment.fold else ()  # absent otherwise, as earlier versions had none
    facts = (assignment.kind, config, assignment.seed, assignment.max_epochs, *fold)
    return hashlib.blake2b(repr(facts).encode(), digest_size=8).hexdigest()


def restore_snapshot(run: TrainingState, found: Checkpoint) -> None:
    """Give a new `run` the state that it had when `found` was taken."""
    run.learner.load_state_dict(with_prefix("weights.", found.tensors))
    run.averaging.load_state_dict(with_prefix("average.", found.tensors))
    restore_optimizer(run.optimizer, found.tensors)
    if run.context.group.rank == 0:
        torch.set_rng_state(found.tensors["generator"])
    run.epochs, run.total_seconds, run.reports = found.epoch, found.seconds, list(found.reports)
    run.micro_batch = min(found.micro_batch or run.micro_batch, run.micro_batch or found.micro_batch)
