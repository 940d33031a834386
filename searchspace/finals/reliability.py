"""Calibration of a classifier: accuracy by confidence, on the test images."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.metrics.class_metrics import CONFIDENCE_BINS
from trainables.metrics.predictions import PREDICTIONS, read_predictions
from trainables.storage.files import is_file


@dataclass(frozen=True)
class TestPredictions:
    """A classifier's predictions on the test images, in the order of the test split."""

    probabilities: NDArray[np.float32]
    """Shape (images, classes)."""
    labels: NDArray[np.int64]
    """True class of each image, shape (images,)."""

    @property
    def classes(self) -> int:
        """Number of classes."""
        return int(self.probabilities.shape[1])

    @property
    def predicted(self) -> NDArray[np.int64]:
        """Most probable class of each image."""
        found: NDArray[np.int64] = self.probabilities.argmax(axis=1)
        return found

    @property
    def confidence(self) -> NDArray[np.float32]:
        """Probability of that class."""
        found: NDArray[np.float32] = self.probabilities.max(axis=1)
        return found

    @property
    def overconfidence(self) -> float:
        """Mean confidence minus accuracy; negative where the classifier is underconfident."""
        return float(self.confidence.mean()) - float((self.predicted == self.labels).mean())


def load_predictions(folder: Path) -> TestPredictions | None:
    """The test predictions of the classifier in `folder`; None where they were not kept."""
    return TestPredictions(*read_predictions(folder)) if is_file(folder / PREDICTIONS) else None


def accuracy_by_confidence(found: TestPredictions) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Mean confidence, accuracy and number of images of each bin of confidence that is not empty."""
    bins = np.minimum((found.confidence * CONFIDENCE_BINS).astype(int), CONFIDENCE_BINS - 1)
    counts = np.bincount(bins, minlength=CONFIDENCE_BINS)
    there = counts > 0
    means = np.bincount(bins, weights=found.confidence, minlength=CONFIDENCE_BINS)[there] / counts[there]
    rights = (
        np.bincount(bins, weights=found.predicted == found.labels, minlength=CONFIDENCE_BINS)[there] / counts[there]
    )
    return means, rights, counts[there]


def format_overconfidence(found: TestPredictions) -> str:
    """`overconfident by 1.20 points`: the difference of mean confidence and accuracy."""
    sign = "over" if found.overconfidence > 0 else "under"
    return f"{sign}confident by {100 * abs(found.overconfidence):.2f} points"
