"""Test metrics from class probabilities: what is measured once, on images that nothing was chosen by."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.bootstrap import Guesses, score_intervals
from trainables.config import Frozen

TOP5_CLASSES = 11
"""Classes from which on a top-5 figure says something."""
BINS = 15
"""Of the calibration error."""
RESAMPLES = 10_000
"""Of the bootstrap of an accuracy."""
FEWER = 2_000
"""Resamples for the other scores, whose every resample has to be counted."""


class ClassMetrics(Frozen):
    """One class against the rest."""

    name: str
    """Class name."""
    precision: float
    """Of the images called this, the share that are."""
    recall: float
    """Of the images that are this, the share found."""
    f1: float
    """Harmonic mean of the two."""
    count: int
    """Test images of this class."""


class TestMetrics(Frozen):
    """Everything measured on the test split; all figures from 0 to 1."""

    __test__ = False  # not a pytest class

    count: int
    """Test images."""
    accuracy: float
    """Share of images whose likeliest class is right."""
    accuracy_low: float
    """Lower end of the bootstrap's 95 % interval."""
    accuracy_high: float
    """Upper end of the bootstrap's 95 % interval."""
    top5: float | None
    """Share of images whose class is among the five likeliest; None for few classes."""
    precision_macro: float
    """Mean of the classes' precisions."""
    recall_macro: float
    """Mean of the classes' recalls (balanced accuracy)."""
    recall_macro_low: float
    """Lower end of its 95 % interval, over test images drawn with replacement."""
    recall_macro_high: float
    """Upper end."""
    f1_macro: float
    """Mean of the classes' F1."""
    f1_macro_low: float
    """Lower end of its 95 % interval, over test images drawn with replacement."""
    f1_macro_high: float
    """Upper end."""
    precision_weighted: float
    """Mean of the classes' precisions, weighted by their images."""
    recall_weighted: float
    """Mean of the classes' recalls, weighted by their images."""
    f1_weighted: float
    """Mean of the classes' F1, weighted by their images."""
    log_loss: float
    """Mean cross-entropy, in nats."""
    log_loss_low: float
    """Lower end of its 95 % interval, over test images drawn with replacement."""
    log_loss_high: float
    """Upper end."""
    calibration_error: float
    """Expected calibration error, 15 equal bins of confidence (arXiv:1706.04599)."""
    classes: tuple[ClassMetrics, ...]
    """Each class, in label order."""
    confusion: tuple[tuple[int, ...], ...]
    """Images by true class (row) and predicted class (column)."""


def measure(probabilities: NDArray[Any], labels: NDArray[np.int64], names: tuple[str, ...], seed: int) -> TestMetrics:
    """Metrics of `probabilities` (n, classes) against `labels` (n,); `seed` draws the bootstrap."""
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    predicted = probabilities.argmax(axis=1)
    right = predicted == labels
    every = list(range(len(names)))
    options = {"labels": every, "zero_division": 0.0}
    precision, recall, f1, count = precision_recall_fscore_support(labels, predicted, average=None, **options)
    macro = precision_recall_fscore_support(labels, predicted, average="macro", **options)
    weighted = precision_recall_fscore_support(labels, predicted, average="weighted", **options)
    low, high = bootstrap_interval(right, seed)
    guesses = Guesses.of(probabilities, labels)
    recalls, f1s, logs = score_intervals(("balanced_accuracy", "f1_macro", "log_loss"), guesses, FEWER, seed)
    return TestMetrics(
        count=len(labels), accuracy=float(right.mean()), accuracy_low=low, accuracy_high=high,
        top5=_top5(probabilities, labels) if len(names) >= TOP5_CLASSES else None,
        precision_macro=macro[0], recall_macro=macro[1], recall_macro_low=recalls[0], recall_macro_high=recalls[1],
        f1_macro=macro[2], f1_macro_low=f1s[0], f1_macro_high=f1s[1],
        precision_weighted=weighted[0], recall_weighted=weighted[1], f1_weighted=weighted[2],
        log_loss=float(-guesses.own_log.mean()), log_loss_low=-logs[1], log_loss_high=-logs[0],
        calibration_error=calibration_error(probabilities, right),
        classes=tuple(
            ClassMetrics(name=names[i], precision=precision[i], recall=recall[i], f1=f1[i], count=count[i])
            for i in every
        ),
        confusion=tuple(map(tuple, confusion_matrix(labels, predicted, labels=every).tolist())),
    )  # fmt: skip


def bootstrap_interval(right: NDArray[np.bool_], seed: int) -> tuple[float, float]:
    """95 % percentile interval of the mean of `right`, over images drawn with replacement."""
    # Resampling n zeros and ones is a binomial draw: no need to hold the resamples.
    drawn = np.random.default_rng(seed).binomial(len(right), right.mean(), RESAMPLES) / len(right)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def calibration_error(probabilities: NDArray[Any], right: NDArray[np.bool_]) -> float:
    """Mean distance of confidence from accuracy over equal bins of confidence, weighted by their images."""
    confidence = probabilities.max(axis=1)
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, weights=confidence, minlength=BINS) - np.bincount(bins, weights=right, minlength=BINS)
    return float(np.abs(gaps).sum() / len(right))


def _top5(probabilities: NDArray[Any], labels: NDArray[np.int64]) -> float:
    best = np.argpartition(-probabilities, 5, axis=1)[:, :5]
    return float((best == labels[:, None]).any(axis=1).mean())
