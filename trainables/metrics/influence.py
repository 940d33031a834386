"""Influence functions: by how much one image moves a score. Their variance is the score's variance over images.

The method is the infinitesimal jackknife, or delta method (Jaeckel, 1972; Efron, 1982).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.metrics.scores import LEAST, MetricName


def confusion_counts(labels: NDArray[np.int64], predicted: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """Images by true class (row) and predicted class (column), shape (classes, classes)."""
    cells = np.bincount(labels * classes + predicted, minlength=classes**2)
    return cells.reshape(classes, classes).astype(np.float64)


def image_influence(metric: MetricName, probabilities: NDArray[Any], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Influence of each image on the score of `probabilities` (n, classes) against `labels` (n,); shape (n,), mean 0.

    The variance of the score over images drawn anew is the variance of these, divided by n.
    """
    if metric == "log_loss":
        logs = right_log(probabilities, labels)
        spread: NDArray[np.float64] = logs - logs.mean()
        return spread
    predicted = probabilities.argmax(axis=1)
    counts = confusion_counts(labels, predicted, probabilities.shape[1])
    found: NDArray[np.float64] = cell_influence(metric, counts)[labels, predicted]
    return found


def right_log(probabilities: NDArray[Any], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Logarithm of the right class's probability, for each of n images."""
    right = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    logs: NDArray[np.float64] = np.log(np.maximum(right, LEAST))
    return logs


def cell_influence(metric: MetricName, counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Influence of an image in each cell of a confusion matrix (classes, classes) on a score of that matrix.

    A class without images is left out of a mean over classes, as in the score. Raises `ValueError` for a log loss.
    """
    total, own, called, hits = counts.sum(), counts.sum(axis=1), counts.sum(axis=0), counts.diagonal()
    right, present = np.eye(len(counts)), own > 0
    found: NDArray[np.float64]
    if metric == "accuracy":
        found = right - hits.sum() / total
    elif metric == "balanced_accuracy":
        weight = _over(total, own, present)
        found = weight[:, None] * (right - _over(hits, own, present)[:, None]) / present.sum()
    elif metric == "f1_macro":
        weight = _over(total, own + called, present)
        lost = weight * _over(2 * hits, own + called, present)
        found = (2 * weight[:, None] * right - lost[:, None] - lost[None, :]) / present.sum()
    else:
        raise ValueError(f"metric {metric!r}: is no score of a confusion matrix")
    return found


def _over(parts: Any, wholes: NDArray[np.float64], present: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.where(present, parts / np.where(present, wholes, 1.0), 0.0)
