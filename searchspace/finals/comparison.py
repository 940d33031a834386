"""The comparison of two classifiers, each trained from several seeds: their difference and its confidence interval."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trainables.config import Frozen
from trainables.metrics.class_counts import Weights
from trainables.metrics.intervals import image_influence
from trainables.metrics.metric_registry import METRICS, MetricName, compute_score

ROUNDING_VARIANCE = 1e-20
"""Variance of a difference of scores below which it consists of rounding errors."""


class ComparisonOutcome(StrEnum):
    """What a comparison shows."""

    SIGNIFICANT = "significant"
    """The interval of the difference is above 0."""
    NOT_SIGNIFICANT = "not significant"
    """The interval contains 0."""
    ONE_SEED = "one seed"
    """There is no interval, as no side that depends on its seed has a second training."""
    NO_VARIANCE = "no variance"
    """There is no interval, as no image and no seed makes a difference."""
    NOT_RESCORED = "not re-scored"
    """There is no interval, as the winner was not trained again: the difference is that of the search's scores."""


class Comparison(Frozen):
    """The winner's difference to another finalist, with its interval."""

    difference: float
    """The winner's mean score minus the other's."""
    low: float | None
    """Lower end of its 95 % interval, over validation images and seeds; None where there is no information."""
    high: float | None
    """Upper end."""
    reason: Literal[ComparisonOutcome.ONE_SEED, ComparisonOutcome.NO_VARIANCE, ComparisonOutcome.NOT_RESCORED, ""] = ""
    """Why there is no interval."""
    method: Literal["Welch", "corrected t"] = "Welch"
    """Method of the interval: Welch's t over seeds, or with folds Nadeau and Bengio's corrected t."""

    @property
    def outcome(self) -> ComparisonOutcome:
        """What the comparison shows."""
        if self.low is None or self.low == self.high:  # older records have an interval of no width
            return self.reason or (ComparisonOutcome.ONE_SEED if self.low is None else ComparisonOutcome.NO_VARIANCE)
        return ComparisonOutcome.SIGNIFICANT if self.low > 0 else ComparisonOutcome.NOT_SIGNIFICANT

    @property
    def is_significant(self) -> bool:
        """Whether the winner's lead is more than chance explains."""
        return self.outcome == ComparisonOutcome.SIGNIFICANT


@dataclass(frozen=True)
class SeedVariance:
    """How much one training's score varies over seeds, estimated over several finalists."""

    variance: float
    """The variance."""
    freedom: int
    """Its degrees of freedom, at least 1."""


@dataclass(frozen=True)
class ComparisonTerms:
    """Under which terms two classifiers are compared."""

    pairs: float = 1.0
    """Comparisons whose intervals hold together (Bonferroni); more where one is looked at several times."""
    deterministic: tuple[bool, bool] = (False, False)
    """Whether no seed changes the first and the second one, as a closed-form head: one training says all of it."""
    pooled: SeedVariance | None = None
    """What seeds change at least; needed while seeds are few, as two may agree by luck."""


def compare(
    metric: MetricName, first: Sequence[NDArray[Any]], second: Sequence[NDArray[Any]], labels: NDArray[np.int64],
    terms: ComparisonTerms = ComparisonTerms(), weights: Weights = None,
) -> Comparison:  # fmt: skip
    """By how much `first` scores better than `second`, and the 95 % interval that chance leaves this difference.

    Each is a list of class probabilities (images, classes), one array a seed, for the same images, whose classes are
    `labels` (images,), with `weights` (images,) or without.

    Chance comes from images and from seeds (arXiv:2103.03098). The images' variance is that of the paired difference
    of influences; the seeds' is each side's own variance over its seeds (Welch); the effect of seeds on single images
    is in both, and is subtracted once. Student's t has the degrees of freedom of Welch and Satterthwaite (1946). A
    side of one seed is assumed to vary as the other does; without a second seed anywhere there is no interval.
    With a pooled variance no side varies less, and its degrees of freedom count.
    `tests/benchmarks/bench_comparison.py` simulates how often it is wrong, and how often it recognises a better one.
    """  # fmt: skip
    sides = [
        _Side(metric, each, labels, weights, fixed)
        for each, fixed in zip((first, second), terms.deterministic, strict=True)
    ]
    difference = sides[0].mean - sides[1].mean
    varying = [side for side in sides if not side.deterministic]
    if varying and not terms.pooled and all(side.degrees_of_freedom == 0 for side in varying):
        return Comparison(difference=difference, low=None, high=None, reason=ComparisonOutcome.ONE_SEED)
    seeds, freedom = _seed_variance(varying, terms.pooled)
    images = _variance(sides[0].influence.mean(axis=0) - sides[1].influence.mean(axis=0)) / len(labels)
    # At least the larger of the two is left, as an estimate of the overlap may be too large.
    variance = max(images + seeds - sum(side.overlap for side in sides), images, seeds)
    if variance < ROUNDING_VARIANCE:
        return Comparison(difference=difference, low=None, high=None, reason=ComparisonOutcome.NO_VARIANCE)
    freedom = freedom * (variance / seeds) ** 2 if seeds else math.inf
    return make_interval(metric, difference, variance, freedom, terms.pairs)


def make_interval(metric: MetricName, difference: float, variance: float, freedom: float, pairs: float) -> Comparison:
    """The comparison with a difference of this variance, by Student's t, for `pairs` comparisons together."""
    half_width = _quantile(1 - 0.025 / pairs, freedom) * math.sqrt(variance)
    most = METRICS[metric].span  # few trainings of much scatter would reach beyond what can be
    return Comparison(
        difference=difference, low=max(difference - half_width, -most), high=min(difference + half_width, most)
    )


class _Side:
    """The trainings of one of the two classifiers."""

    def __init__(
        self, metric: MetricName, trainings: Sequence[NDArray[Any]], labels: NDArray[np.int64], weights: Weights,
        deterministic: bool,
    ) -> None:  # fmt: skip
        self.deterministic = deterministic
        self.scores = np.array([compute_score(metric, each, labels, weights) for each in trainings])
        self.mean = float(self.scores.mean())
        self.degrees_of_freedom = len(self.scores) - 1
        self.influence = np.stack([image_influence(metric, each, labels, weights) for each in trainings])
        """Influence of each image on each training's score, shape (seeds, images)."""

    @property
    def overlap(self) -> float:
        """Variance of the mean score from the interaction of seeds and images; both variances contain it."""
        seeds, images = self.influence.shape
        if self.deterministic or seeds < 2 or images < 2:
            return 0.0
        rest = self.influence - self.influence.mean(axis=0)
        shared: float = np.square(rest).sum().item() / ((seeds - 1) * (images - 1)) / (seeds * images)
        return shared


def _seed_variance(sides: Sequence[_Side], pooled: SeedVariance | None) -> tuple[float, float]:
    """Variance of the difference of means over the seeds of the sides that have any, and its degrees of freedom."""
    known = [_variance(side.scores) for side in sides if side.degrees_of_freedom]
    parts, freedoms = [], []
    for side in sides:
        own = _variance(side.scores)
        if pooled:
            own = max(own, pooled.variance)
        elif not side.degrees_of_freedom:
            own = known[0]
        parts.append(own / len(side.scores))
        most = max(other.degrees_of_freedom for other in sides)
        freedoms.append(pooled.freedom if pooled else side.degrees_of_freedom or most)
    total = sum(parts)
    below = sum(part**2 / freedom for part, freedom in zip(parts, freedoms, strict=True))
    return total, total**2 / below if below else math.inf


def _variance(values: NDArray[np.float64]) -> float:
    return float(values.var(ddof=1)) if len(values) > 1 else 0.0


def _quantile(probability: float, freedom: float) -> float:
    from scipy.stats import t

    found: float = np.asarray(t.ppf(probability, freedom)).item()
    return found
