"""The bootstrap (Efron, 1979): how far scores scatter over images drawn with replacement, many resamples at a time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.scores import LEAST

BLOCK = 2**20
"""Drawn images that are worked on at a time: some 8 MB an array."""
Draws = NDArray[np.int64]
"""Images of some resamples, by index: (resamples, images)."""


@dataclass(frozen=True)
class Guesses:
    """What one network said of n images, as far as a score depends on it."""

    labels: NDArray[np.int64]
    """The right class of each image."""
    predicted: NDArray[np.int64]
    """The likeliest class of each image."""
    own_log: NDArray[np.float64]
    """Logarithm of the right class's probability, for each image."""
    classes: int
    """Number of classes."""

    @classmethod
    def of(cls, probabilities: NDArray[Any], labels: NDArray[np.int64]) -> "Guesses":
        """Guesses of `probabilities` (n, classes) against `labels` (n,)."""
        own = probabilities[np.arange(len(labels)), labels].astype(np.float64)
        predicted = probabilities.argmax(axis=1).astype(np.int64)
        return cls(labels, predicted, np.log(np.maximum(own, LEAST)), probabilities.shape[1])


def draw_images(count: int, resamples: int, seed: int) -> Iterator[Draws]:
    """`resamples` draws of `count` images out of as many, with replacement, in blocks that fit in memory."""
    rng = np.random.default_rng(seed)
    block = max(1, BLOCK // count)
    for start in range(0, resamples, block):
        yield rng.integers(count, size=(min(block, resamples - start), count))


def resampled_scores(metric: str, guesses: Guesses, draws: Draws) -> NDArray[np.float64]:
    """Score of each resample, higher is better; a class that a resample lacks is left out of its mean over classes."""
    return SCORES[metric](guesses, draws)


def score_intervals(
    metrics: Sequence[str], guesses: Guesses, resamples: int, seed: int
) -> tuple[tuple[float, float], ...]:
    """95 % percentile interval of each score over images, all from the same draws."""
    blocks = [
        [resampled_scores(metric, guesses, draws) for metric in metrics]
        for draws in draw_images(len(guesses.labels), resamples, seed)
    ]
    ends = np.quantile(np.concatenate(blocks, axis=1), [0.025, 0.975], axis=1)
    return tuple((float(low), float(high)) for low, high in ends.T)


def _accuracy(guesses: Guesses, draws: Draws) -> NDArray[np.float64]:
    right: NDArray[np.float64] = (guesses.predicted == guesses.labels)[draws].mean(axis=1)
    return right


def _log_loss(guesses: Guesses, draws: Draws) -> NDArray[np.float64]:
    negated: NDArray[np.float64] = guesses.own_log[draws].mean(axis=1)
    return negated


def _balanced_accuracy(guesses: Guesses, draws: Draws) -> NDArray[np.float64]:
    own, _, found = _counts(guesses, draws)
    return _mean_over_classes(found, own, own)


def _f1_macro(guesses: Guesses, draws: Draws) -> NDArray[np.float64]:
    own, called, found = _counts(guesses, draws)
    return _mean_over_classes(2 * found, own + called, own)


SCORES: dict[str, Callable[[Guesses, Draws], NDArray[np.float64]]] = {
    "accuracy": _accuracy, "balanced_accuracy": _balanced_accuracy, "f1_macro": _f1_macro, "log_loss": _log_loss,
}  # fmt: skip
"""The metrics of `trainables.scores`, of many resamples at a time."""


def _counts(guesses: Guesses, draws: Draws) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Images of each resample and class (resamples, classes): that are it, that were called it, and both."""
    labels, predicted = guesses.labels[draws], guesses.predicted[draws]
    first = guesses.classes * np.arange(len(draws))[:, None]

    def count(cells: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.bincount(cells.ravel(), minlength=len(draws) * guesses.classes).reshape(len(draws), -1)

    return count(first + labels), count(first + predicted), count((first + labels)[labels == predicted])


def _mean_over_classes(
    parts: NDArray[np.int64], wholes: NDArray[np.int64], own: NDArray[np.int64]
) -> NDArray[np.float64]:
    present = own > 0
    ratios = np.where(present, parts / np.maximum(wholes, 1), 0.0)
    means: NDArray[np.float64] = ratios.sum(axis=1) / present.sum(axis=1)
    return means
