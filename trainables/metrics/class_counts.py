"""Counts per class: all that a metric is computed from. They add up over chunks and workers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MIN_PROBABILITY = 1e-12
"""Probability below which a logarithm would say more than float32 does."""


@dataclass(frozen=True)
class ClassCounts:
    """Counts of labelled images and of a classifier's predictions for them."""

    true: NDArray[np.float64]
    """Images of each class, shape (classes,)."""
    predicted: NDArray[np.float64]
    """Images whose likeliest class it is, shape (classes,)."""
    correct: NDArray[np.float64]
    """Images of which both hold, shape (classes,)."""
    loss: float
    """Summed cross-entropy, in nats."""

    @classmethod
    def of(cls, probabilities: NDArray[Any], labels: NDArray[np.int64]) -> "ClassCounts":
        """Counts of `probabilities` (n, classes) against `labels` (n,)."""
        classes = probabilities.shape[1]
        predicted = probabilities.argmax(axis=1)
        return cls(
            true=_count(labels, classes), predicted=_count(predicted, classes),
            correct=_count(labels[predicted == labels], classes), loss=float(-true_log(probabilities, labels).sum()),
        )  # fmt: skip

    @classmethod
    def of_confusion(cls, confusion: NDArray[np.float64], loss: float = 0.0) -> "ClassCounts":
        """Counts of a confusion matrix, true class (row) by predicted class (column), and a summed cross-entropy."""
        return cls(confusion.sum(axis=1), confusion.sum(axis=0), confusion.diagonal().copy(), loss)

    @property
    def accuracy(self) -> float:
        """Share of images whose likeliest class is right, from 0 to 1."""
        return float(self.correct.sum() / self.true.sum())

    @property
    def mean_loss(self) -> float:
        """Mean cross-entropy, in nats."""
        return self.loss / float(self.true.sum())


def true_log(probabilities: NDArray[Any], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Logarithm of the true class's probability, for each of n images; of at least `MIN_PROBABILITY`."""
    true = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    logs: NDArray[np.float64] = np.log(np.maximum(true, MIN_PROBABILITY))
    return logs


def confusion_matrix(labels: NDArray[np.int64], predicted: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """Images by true class (row) and predicted class (column), shape (classes, classes)."""
    cells = np.bincount(labels * classes + predicted, minlength=classes**2)
    return cells.reshape(classes, classes).astype(np.float64)


def _count(labels: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    return np.bincount(labels, minlength=classes).astype(np.float64)
