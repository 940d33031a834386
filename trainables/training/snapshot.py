"""A trial in training as a checkpoint, and back."""

import hashlib
from typing import TYPE_CHECKING

import torch

from trainables.config import Assignment
from trainables.training.checkpoint import Checkpoint, optimizer_tensors, restore_optimizer, with_prefix

if TYPE_CHECKING:
    from trainables.training.loop import TrialRun


def take_snapshot(run: "TrialRun") -> Checkpoint:
    """Everything that `run` needs to go on from the end of this epoch."""
    tensors = {f"weights.{k}": v for k, v in run.learner.state_dict().items()}
    tensors |= {f"average.{k}": v for k, v in run.averaging.state_dict().items()}
    tensors |= optimizer_tensors(run.optimizer)
    tensors["generator"] = torch.get_rng_state()
    of = assignment_digest(run.assignment)
    return Checkpoint(run.epochs, run.micro_batch, run.total_seconds, tuple(run.reports), tensors, of)


def assignment_digest(assignment: Assignment) -> str:
    """What is trained, in short: one name may come to stand for another trial where a study lost its last seconds."""
    facts = (assignment.kind, assignment.config.model_dump(), assignment.seed, assignment.max_epochs)
    return hashlib.blake2b(repr(facts).encode(), digest_size=8).hexdigest()


def restore_snapshot(run: "TrialRun", found: Checkpoint) -> None:
    """Make a new `run` what it was when `found` was taken."""
    run.learner.load_state_dict(with_prefix("weights.", found.tensors))
    run.averaging.load_state_dict(with_prefix("average.", found.tensors))
    restore_optimizer(run.optimizer, found.tensors)
    if run.context.group.rank == 0:
        torch.set_rng_state(found.tensors["generator"])
    run.epochs, run.total_seconds, run.reports = found.epoch, found.seconds, list(found.reports)
    run.micro_batch = min(found.micro_batch or run.micro_batch, run.micro_batch or found.micro_batch)
