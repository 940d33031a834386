"""95 % confidence intervals of scores over test images.

`results/benchmarks/bench_intervals.json` holds how often each covers the true score, beside a percentile bootstrap.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.metrics.class_counts import ClassCounts, Weights, confusion_matrix, effective_weights, true_log
from trainables.metrics.metric import Metric
from trainables.metrics.metric_registry import METRICS, MetricName

Z = 1.959964
"""Standard normal quantile of a two-sided 95 % interval."""
WILSON = "Wilson"
"""Method of the interval of a share of images."""
PSEUDO_IMAGES = 2.0
"""Right and wrong images that are added before a variance is estimated, as in Agresti and Coull's interval (1998)."""

NO_IMAGES = 1e-9
"""Effective count of a score that no image moves, as of a correlation where all are of one class: nothing is known."""

Ends = tuple[float, float]
"""Lower and upper end of an interval."""


def wilson_ends(shares: NDArray[Any], counts: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Ends of Wilson's score intervals (1927) for shares of counts above 0, elementwise."""
    middle = (shares + Z**2 / (2 * counts)) / (1 + Z**2 / counts)
    half = Z * np.sqrt(shares * (1 - shares) / counts + (Z / (2 * counts)) ** 2) / (1 + Z**2 / counts)
    return np.clip(middle - half, 0.0, shares), np.clip(middle + half, shares, 1.0)


def wilson(share: float, count: float) -> Ends:
    """Wilson's score interval for a share of `count` images, which is above 0 and need not be whole."""
    low, high = wilson_ends(np.array(share), np.array(count))
    return float(low), float(high)


def score_interval(
    metric: MetricName, probabilities: NDArray[Any], labels: NDArray[np.int64], weights: Weights = None
) -> Ends:
    """Interval of the score of `probabilities` (n, classes) against `labels` (n,), by the metric's method.

    Images with `weights` (n,) count as fewer, equally weighted ones (Kish); a mean of losses has the variance of the
    ratio of sums.
    """
    entry = METRICS[metric]
    if entry.interval == "Hall":
        low, high = hall(_as_equal(-true_log(probabilities, labels), weights))
        return -high, -low
    scaled = None if weights is None else effective_weights(weights)
    score = entry.compute(ClassCounts.of(probabilities, labels, scaled))
    if entry.interval == WILSON:
        return wilson(score, len(labels) if scaled is None else float(scaled.sum()))
    predicted = probabilities.argmax(axis=1)
    return bounded_interval(entry, score, confusion_matrix(labels, predicted, probabilities.shape[1], scaled))


def _as_equal(values: NDArray[np.float64], weights: Weights) -> NDArray[np.float64]:
    """Values whose plain mean, and its variance, are those of the weighted mean."""
    if weights is None:
        return values
    wide = weights.astype(np.float64)
    mean = np.average(values, weights=wide)
    equal: NDArray[np.float64] = mean + wide / wide.mean() * (values - mean)
    return equal


def bounded_interval(metric: Metric, score: float, confusion: NDArray[np.float64]) -> Ends:
    """Wilson's interval of a score that has bounds, as a share of the way between them, for the effective count."""
    lowest = metric.bounds[0]
    low, high = wilson((score - lowest) / metric.span, effective_count(metric, confusion))
    return min(lowest + low * metric.span, score), max(lowest + high * metric.span, score)


def share_interval(found: float, count: float) -> Ends | None:
    """Interval of `found` of `count` images, such as a recall; None if there are none. Neither need be whole."""
    return wilson(found / count, count) if count else None


def effective_count(metric: Metric, counts: NDArray[np.float64]) -> float:
    """Images that would leave a plain share as uncertain as `metric` is for this confusion matrix (Kish, 1965).

    The score's variance is that of the delta method, for a matrix with some pseudo-images, so that classes without an
    error do not count as certain. Of two ways to add them, over all images and to each class, the more cautious counts.
    """
    return min(_effective(metric, smoothed, counts.sum()) for smoothed in (_smooth_all(counts), _smooth_each(counts)))


def _effective(metric: Metric, smoothed: NDArray[np.float64], images: float) -> float:
    influence = cell_influence(metric, smoothed) / metric.span
    variance = float((smoothed * influence**2).sum() / smoothed.sum())
    if not variance:
        return NO_IMAGES
    share = (metric.compute(ClassCounts.of_confusion(smoothed)) - metric.bounds[0]) / metric.span
    return float(images) * share * (1 - share) / variance


def _smooth_all(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Add `PSEUDO_IMAGES` right images and as many wrong ones, to each class in proportion to its images."""
    share = counts.sum(axis=1, keepdims=True) / counts.sum()
    added: NDArray[np.float64] = PSEUDO_IMAGES * share * (np.eye(len(counts)) + _other_classes(counts))
    return counts + added


def _smooth_each(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Draw each class's row towards the accuracy of all, by `PSEUDO_IMAGES` images; its number of images stays."""
    own = counts.sum(axis=1, keepdims=True)
    accuracy = (counts.diagonal().sum() + PSEUDO_IMAGES) / (counts.sum() + 2 * PSEUDO_IMAGES)
    typical = accuracy * np.eye(len(counts)) + (1 - accuracy) * _other_classes(counts)
    drawn: NDArray[np.float64] = own * (counts + PSEUDO_IMAGES * typical) / (own + PSEUDO_IMAGES)
    return drawn


def _other_classes(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """An error of each class (row), spread evenly over the other classes that occur; over all if no other does."""
    others = (1 - np.eye(len(counts))) * (counts.sum(axis=0) + counts.sum(axis=1) > 0)
    alone = others.sum(axis=1, keepdims=True) == 0
    others = np.where(alone, 1 - np.eye(len(counts)), others)
    spread: NDArray[np.float64] = others / others.sum(axis=1, keepdims=True)
    return spread


def f1_interval(found: float, own: float, called: float) -> Ends | None:
    """Interval of one class's F1, 2 x found / (own + called); None for a class that neither occurs nor was predicted.

    F1 rises with found / (own + called - found), which is a share of the images that are or were called the class.
    """
    ends = share_interval(found, own + called - found)
    return None if ends is None else (2 * ends[0] / (1 + ends[0]), 2 * ends[1] / (1 + ends[1]))


def hall(values: NDArray[np.float64]) -> Ends:
    """Interval of the mean of `values` (n,), none below 0, that allows for skewness (Hall, 1992; Zhou and Gao, 2000).

    Losses are few large ones among many small ones; a symmetric interval ends too low. Without variance it has no
    width: nothing is then known of the losses that were not seen.
    """
    count, mean = len(values), float(values.mean())
    deviation = float(values.std(ddof=1)) if count > 1 else 0.0
    if not deviation:
        return mean, mean
    skewness = float(((values - mean) ** 3).mean()) / deviation**3
    bend, error = skewness / np.sqrt(count), deviation / np.sqrt(count)

    def quantile(z: float) -> float:
        """Inverse of Hall's cubic transformation of the studentised mean."""
        if abs(bend) < 1e-6:
            return z
        return float(3 / bend * (np.cbrt(1 + bend * (z - bend / 6)) - 1))

    return max(0.0, mean - quantile(Z) * error), mean - quantile(-Z) * error


def image_influence(
    metric: MetricName, probabilities: NDArray[Any], labels: NDArray[np.int64], weights: Weights = None
) -> NDArray[np.float64]:
    """Influence of each image on the score of `probabilities` (n, classes) against `labels` (n,); shape (n,), mean 0.

    The variance of the score over images drawn anew, with their `weights` (n,), is the variance of these, divided by n.
    """
    gradient = METRICS[metric].differentiate(ClassCounts.of(probabilities, labels, weights))
    predicted = probabilities.argmax(axis=1)
    each = gradient.true[labels] + gradient.predicted[predicted]
    each += np.where(predicted == labels, gradient.correct[labels], 0.0) - gradient.loss * true_log(
        probabilities, labels
    )
    influence: NDArray[np.float64] = len(labels) * each * (1.0 if weights is None else weights)
    return influence


def cell_influence(metric: Metric, confusion: NDArray[np.float64]) -> NDArray[np.float64]:
    """Influence of an image in each cell of a confusion matrix (classes, classes) on the score of that matrix."""
    gradient = metric.differentiate(ClassCounts.of_confusion(confusion))
    each = gradient.true[:, None] + gradient.predicted[None, :] + np.diag(gradient.correct)
    influence: NDArray[np.float64] = confusion.sum() * each
    return influence
