"""Starts the training of an assignment: by gradient steps over epochs, or by solving for the head."""

from typing import Protocol

from numpy import int64
from numpy.typing import NDArray
from torch import Tensor, nn

from trainables.config import Assignment, EpochReport
from trainables.models.classifier import Classifier
from trainables.models.model_registry import is_closed_form
from trainables.training.closed_form.closed_form_run import ClosedFormRun
from trainables.training.evaluation import EvaluationInputs
from trainables.training.loop import TrialRun
from trainables.workers.worker_context import WorkerContext


class Training(Protocol):
    """An assignment in training: `train_epoch()` until `done`, and `save()` in between."""

    assignment: Assignment
    """What is trained."""
    context: WorkerContext
    """Where it is trained."""
    model: Classifier
    """The classifier; its backbone is missing where its features are on disk, but not of a winner."""
    rows: NDArray[int64]
    """Rows of the store that it is trained on."""
    reports: list[EpochReport]
    """Reports of all epochs so far."""

    @property
    def done(self) -> bool:
        """Whether all epochs are trained."""

    @property
    def averaged(self) -> nn.Module:
        """What is evaluated, on `evaluation_inputs()`."""

    @property
    def trouble(self) -> str:
        """Why the newest checkpoint could not be written; empty where it could."""

    def train_epoch(self) -> EpochReport:
        """Train one epoch, and score the validation split."""

    def evaluation_inputs(self) -> EvaluationInputs:
        """Inputs of an evaluation."""

    def averaged_state(self) -> dict[str, Tensor]:
        """Weights of the whole classifier, on the CPU."""

    def save(self) -> None:
        """Begin to write a checkpoint."""

    def save_and_wait(self) -> None:
        """Write a checkpoint."""

    def seconds_since_save(self) -> float:
        """Seconds since the last checkpoint, or the start."""

    def delete_checkpoints(self) -> None:
        """Delete the checkpoints of this trial, which has ended."""

    def close(self) -> None:
        """Wait for the checkpoint that is being written."""


def start_training(assignment: Assignment, context: WorkerContext) -> Training:
    """Build what `assignment` trains, and resume it from its newest checkpoint, if there is one."""
    return (ClosedFormRun if is_closed_form(assignment.config) else TrialRun)(assignment, context)
