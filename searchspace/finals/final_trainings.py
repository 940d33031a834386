"""The finals' trainings, and what they predicted: for the validation images, or fold by fold for all of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState

from searchspace.finals.fold_comparison import FoldedImages
from searchspace.finals.select_winner import FinalistPredictions
from searchspace.study.trial_attributes import read_curve
from trainables.config import Assignment, EpochReport
from trainables.data.finals_validation import FinalsValidation


@dataclass(frozen=True)
class FinalTraining:
    """One training of one finalist: from one fresh seed, or of one fold."""

    trial: FrozenTrial
    """The finalist."""
    seed_index: int
    """Which of the fresh seeds; with folds, which repetition of the cross-validation."""
    assignment: Assignment
    """What a gang was given."""
    report: EpochReport
    """The last report of it."""
    planned: int = 0
    """Trainings that the finalist could have, or with folds repetitions; 0: as many as there are."""
    is_deterministic: bool = False
    """Whether no seed changes anything, as of a closed-form head."""
    is_probe: bool = False
    """Whether the finalist is a probe."""

    @property
    def folder(self) -> Path:
        """Folder of its predictions."""
        return Path(self.assignment.folder)

    @property
    def is_complete(self) -> bool:
        """Whether it was trained to its end."""
        return self.report.status == "complete"


@dataclass(frozen=True)
class CollectedPredictions:
    """What the finalists predicted, all for the same images."""

    contenders: list[FinalistPredictions]
    """Finalists that have a score."""
    labels: NDArray[np.int64]
    """True class of each image, shape (images,)."""
    folds: FoldedImages | None
    """The folds of the images; None without cross-validation."""
    weights: NDArray[np.float32] | None = None
    """Weight of each image in scores, shape (images,); None: 1 for all."""


def collect_predictions(trainings: Sequence[FinalTraining], validation: FinalsValidation) -> CollectedPredictions:
    """The predictions of the finalists that have a score, and the labels.

    With seeds, a finalist has a score if one training of it completed; with folds, if all did: without a fold it would
    be a score of other images than the others'. Raises `DamagedError` for predictions that cannot be read.
    """
    contenders, labels, folds = [], np.zeros(0, np.int64), None
    weights: NDArray[np.float32] | None = None
    for trial in {training.trial.number: training.trial for training in trainings}.values():
        own = [training for training in trainings if training.trial.number == trial.number]
        complete = [training for training in own if training.is_complete]
        folded = own[0].assignment.fold is not None
        if not complete or (folded and len(complete) < len(own)):
            continue
        found = _read_folds(own) if folded else _read_seeds(complete)
        labels, weights = found.labels, found.weights
        if folded and (folds is None or len(found.folds) > len(folds.folds)):
            folds = FoldedImages(found.folds, validation.search_images, weights)
        contenders.append(_contender(own, found, lost=len(own) - len(complete)))
    return CollectedPredictions(contenders, labels, folds, weights)


def _contender(own: Sequence[FinalTraining], found: "_Read", lost: int) -> FinalistPredictions:
    trial = own[0].trial
    return FinalistPredictions(
        members=(trial.number,), search_score=curve[-1].score if (curve := read_curve(trial)) else None,
        full_length=trial.state == TrialState.COMPLETE, probabilities=found.probabilities, lost=lost,
        seconds=sum(training.report.total_seconds for training in own), planned=own[0].planned,
        deterministic=own[0].is_deterministic, is_probe=own[0].is_probe,
    )  # fmt: skip


@dataclass(frozen=True)
class _Read:
    labels: NDArray[np.int64]
    """True class of each image, shape (images,)."""
    probabilities: dict[int, NDArray[np.float32]]
    """Class probabilities (images, classes), by seed index."""
    folds: dict[int, NDArray[np.int64]] = field(default_factory=dict)
    """Fold of each image, by repetition."""
    weights: NDArray[np.float32] | None = None
    """Weight of each image, shape (images,); None: 1 for all."""


def _read_seeds(trainings: Sequence[FinalTraining]) -> _Read:
    from trainables.metrics.predictions import VALIDATION_PREDICTIONS, read_predictions, read_weights

    weights = read_weights(trainings[0].folder, VALIDATION_PREDICTIONS)
    read = {each.seed_index: read_predictions(each.folder, VALIDATION_PREDICTIONS) for each in trainings}
    labels = next(iter(read.values()))[1]
    return _Read(labels, {index: probabilities for index, (probabilities, _) in read.items()}, weights=weights)


def _read_folds(trainings: Sequence[FinalTraining]) -> _Read:
    """Join the folds of each repetition, so that each image has the prediction of the training that it was not in."""
    from trainables.metrics.predictions import VALIDATION_PREDICTIONS, read_predictions, read_rows, read_weights

    labels, joined, folds = np.zeros(0, np.int64), {}, {}
    weights: NDArray[np.float32] | None = None
    for repeat in dict.fromkeys(training.seed_index for training in trainings):
        own = [training.folder for training in trainings if training.seed_index == repeat]
        parts = [read_predictions(folder, VALIDATION_PREDICTIONS) for folder in own]
        order = np.argsort(np.concatenate([read_rows(folder) for folder in own]))
        joined[repeat] = np.concatenate([probabilities for probabilities, _ in parts])[order]
        labels = np.concatenate([found for _, found in parts])[order]
        known = [found for folder in own if (found := read_weights(folder, VALIDATION_PREDICTIONS)) is not None]
        weights = np.concatenate(known)[order] if len(known) == len(own) else None
        folds[repeat] = np.repeat(np.arange(len(parts)), [len(found) for _, found in parts])[order]
    return _Read(labels, joined, folds, weights)
