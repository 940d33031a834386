"""Counts per class: all that a metric is computed from. They add up over chunks and workers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[Any] | None
"""Weight of each image, at least 0, shape (n,); None: 1 for all."""
MIN_PROBABILITY = 1e-12
"""Probability below which a logarithm would say more than float32 does."""


@dataclass(frozen=True)
class ClassCounts:
    """Counts of labelled images, or sums of their weights, and of a classifier's predictions for them."""

    true: NDArray[np.float64]
    """Images of each class, shape (classes,)."""
    predicted: NDArray[np.float64]
    """Images whose likeliest class it is, shape (classes,)."""
    correct: NDArray[np.float64]
    """Images of which both hold, shape (classes,)."""
    loss: float
    """Summed cross-entropy, in nats."""

    @classmethod
    def of(cls, probabilities: NDArray[Any], labels: NDArray[np.int64], weights: Weights = None) -> "ClassCounts":
        """Counts of `probabilities` (n, classes) against `labels` (n,), or sums of the images' `weights` (n,)."""
        classes = probabilities.shape[1]
        predicted = probabilities.argmax(axis=1)
        logs = true_log(probabilities, labels)
        return cls(
            true=_count(labels, classes, weights),
            predicted=_count(predicted, classes, weights),
            correct=_count(labels, classes, (predicted == labels) * (1.0 if weights is None else weights)),
            loss=float(-(logs if weights is None else logs * weights).sum()),
        )

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


def confusion_matrix(
    labels: NDArray[np.int64], predicted: NDArray[np.int64], classes: int, weights: Weights = None
) -> NDArray[np.float64]:
    """Images, or their weights, by true class (row) and predicted class (column), shape (classes, classes)."""
    cells = np.bincount(labels * classes + predicted, weights=weights, minlength=classes**2)
    return cells.reshape(classes, classes).astype(np.float64)


def effective_weights(weights: NDArray[Any]) -> NDArray[np.float64]:
    """Weights (n,) multiplied so that their sum is the effective number of images (Kish, 1965).

    A share of so many images without weights would be as uncertain as the weighted share is.
    """
    wide = weights.astype(np.float64)
    scaled: NDArray[np.float64] = wide * (wide.sum() / np.square(wide).sum())
    return scaled


def _count(labels: NDArray[np.int64], classes: int, weights: Weights) -> NDArray[np.float64]:
    return np.bincount(labels, weights=weights, minlength=classes).astype(np.float64)
