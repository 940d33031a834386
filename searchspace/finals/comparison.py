"""The comparison of two classifiers, each trained from several seeds: how much better one is, and how sure that is."""

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trainables.config import Frozen
from trainables.metrics.influence import image_influence
from trainables.metrics.scores import MetricName, score_of

ROUNDING_VARIANCE = 1e-20
"""Variance of a difference of scores below which it is nothing but rounding errors."""
INTERVAL_METHOD = "Welch"
"""Name of the method of a difference's interval."""

ComparisonOutcome = Literal["significant", "not significant", "one seed", "no variance"]
"""What a comparison shows. `one seed`: a single training each says nothing of others. `no variance`: no image and no
seed makes a difference, so that there is no information."""


class Comparison(Frozen):
    """How far one finalist is behind the winner."""

    difference: float
    """The winner's mean score less this one's."""
    low: float | None
    """Lower end of its 95 % interval, over validation images and seeds; None where there is no information."""
    high: float | None
    """Upper end."""
    reason: Literal["", "one seed", "no variance"] = ""
    """Why there is no interval."""

    @property
    def outcome(self) -> ComparisonOutcome:
        """What it shows."""
        if self.low is None or self.low == self.high:  # older records have an interval of no width
            return self.reason or ("one seed" if self.low is None else "no variance")
        return "significant" if self.low > 0 else "not significant"

    @property
    def is_significant(self) -> bool:
        """Whether the winner's lead is more than chance would give."""
        return self.outcome == "significant"


def compare(
    metric: MetricName, first: Sequence[NDArray[Any]], second: Sequence[NDArray[Any]], labels: NDArray[np.int64],
    pairs: int = 1,
) -> Comparison:  # fmt: skip
    """By how much `first` scores better than `second`, and the 95 % interval that chance leaves this difference.

    Each is the class probabilities (images, classes) of its trainings, one array a seed, for the same images, whose
    classes are `labels` (images,). The interval holds for `pairs` comparisons together (Bonferroni).

    Chance is in the images and in the seeds (arXiv:2103.03098). The images' variance is that of the paired difference
    of influences, the seeds' is each side's own variance over its seeds (Welch), and what seeds do to single images,
    which is in both, is taken off once. Student's t has the degrees of freedom of Welch and Satterthwaite (1946). A
    side of one seed is taken to vary as the other does; with one seed each nothing is known.
    `tests/benchmarks/bench_verdict.py` simulates how often it is wrong, and how often it recognises a better one.
    """  # fmt: skip
    sides = [_Side(metric, each, labels) for each in (first, second)]
    difference = sides[0].mean - sides[1].mean
    if all(side.freedom == 0 for side in sides):
        return Comparison(difference=difference, low=None, high=None, reason="one seed")
    seeds, freedom = _seed_variance(sides)
    images = _variance(sides[0].influence.mean(axis=0) - sides[1].influence.mean(axis=0)) / len(labels)
    # At least the larger of the two is left, as an estimate of the overlap may be too large.
    variance = max(images + seeds - sum(side.overlap for side in sides), images, seeds)
    if variance < ROUNDING_VARIANCE:
        return Comparison(difference=difference, low=None, high=None, reason="no variance")
    reach = _quantile(1 - 0.025 / pairs, freedom * (variance / seeds) ** 2 if seeds else math.inf) * math.sqrt(variance)
    most = math.inf if metric == "log_loss" else 1.0  # few seeds of much scatter would reach beyond what can be
    return Comparison(difference=difference, low=max(difference - reach, -most), high=min(difference + reach, most))


class _Side:
    """One classifier's trainings."""

    def __init__(self, metric: MetricName, trainings: Sequence[NDArray[Any]], labels: NDArray[np.int64]) -> None:
        self.scores = np.array([score_of(metric, each, labels) for each in trainings])
        self.mean = float(self.scores.mean())
        self.freedom = len(self.scores) - 1
        self.influence = np.stack([image_influence(metric, each, labels) for each in trainings])
        """Of each image on each training's score, shape (seeds, images)."""

    @property
    def overlap(self) -> float:
        """Variance of the mean score that comes of what seeds do to single images: seeds and images both hold it."""
        seeds, images = self.influence.shape
        if seeds < 2 or images < 2:
            return 0.0
        rest = self.influence - self.influence.mean(axis=0)
        shared: float = np.square(rest).sum().item() / ((seeds - 1) * (images - 1)) / (seeds * images)
        return shared


def _seed_variance(sides: Sequence[_Side]) -> tuple[float, float]:
    """Variance of the difference of means over seeds, and its degrees of freedom."""
    known = [_variance(side.scores) for side in sides if side.freedom]
    parts, freedoms = [], []
    for side in sides:
        parts.append((_variance(side.scores) if side.freedom else known[0]) / len(side.scores))
        freedoms.append(side.freedom or max(other.freedom for other in sides))
    total = sum(parts)
    below = sum(part**2 / freedom for part, freedom in zip(parts, freedoms, strict=True))
    return total, total**2 / below if below else math.inf


def _variance(values: NDArray[np.float64]) -> float:
    return float(values.var(ddof=1)) if len(values) > 1 else 0.0


def _quantile(probability: float, freedom: float) -> float:
    from scipy.stats import t

    found: float = np.asarray(t.ppf(probability, freedom)).item()
    return found
