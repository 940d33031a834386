"""Influence functions: by how much one image moves a score. Their variance is the score's variance over images.

The method is the infinitesimal jackknife, or delta method (Jaeckel, 1972; Efron, 1982): a metric's derivatives with
respect to the class counts, times what one image adds to each count.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.metrics.class_counts import ClassCounts, true_log
from trainables.metrics.metric import Metric
from trainables.metrics.metric_registry import METRICS, MetricName


def image_influence(metric: MetricName, probabilities: NDArray[Any], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Influence of each image on the score of `probabilities` (n, classes) against `labels` (n,); shape (n,), mean 0.

    The variance of the score over images drawn anew is the variance of these, divided by n.
    """
    gradient = METRICS[metric].differentiate(ClassCounts.of(probabilities, labels))
    predicted = probabilities.argmax(axis=1)
    each = gradient.true[labels] + gradient.predicted[predicted]
    each += np.where(predicted == labels, gradient.correct[labels], 0.0) - gradient.loss * true_log(
        probabilities, labels
    )
    influence: NDArray[np.float64] = len(labels) * each
    return influence


def cell_influence(metric: Metric, confusion: NDArray[np.float64]) -> NDArray[np.float64]:
    """Influence of an image in each cell of a confusion matrix (classes, classes) on the score of that matrix."""
    gradient = metric.differentiate(ClassCounts.of_confusion(confusion))
    each = gradient.true[:, None] + gradient.predicted[None, :] + np.diag(gradient.correct)
    influence: NDArray[np.float64] = confusion.sum() * each
    return influence
