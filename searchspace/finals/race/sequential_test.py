"""The sequential test of a race: how the error rate is spent over its looks, and what seeds vary by while few ended.

A finalist that is significantly behind the leader gets no more seeds. Each pair is looked at after every seed, and a
test that is repeated errs more often. So each look has a part of the error rate, and the parts add up to the whole,
whenever the race ends (Bonferroni over looks; spending by a power of the share of seeds, Kim and DeMets,
doi:10.1093/biomet/74.1.149).

Simulated beside three seeds for all (`results/benchmarks/bench_comparison_races.json`, n = 100): the first of three
wins as often, and equals are called different in 0 to 5 % either way. Where seeds scatter by half a point and two of
three are 10 points behind, 4.9 trainings of 9 decide it, or 2.8 where the search score makes them hopeless.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from searchspace.finals.comparison import SeedVariance
from trainables.metrics.class_counts import Weights
from trainables.metrics.intervals import image_influence
from trainables.metrics.metric_registry import MetricName, compute_score

SPENDING_POWER = 2.0
"""With three seeds 1/9, 3/9 and 5/9 of the error rate: most is left for those that need all seeds."""


def error_shares(looks: int) -> tuple[float, ...]:
    """The part of the error rate that each of `looks` looks has; they add up to 1."""
    spent = [(look / looks) ** SPENDING_POWER for look in range(looks + 1)]
    return tuple(after - before for before, after in pairwise(spent))


def pool_seed_variance(
    metric: MetricName, finalists: Sequence[Sequence[NDArray[np.float32]]], search_scores: Sequence[float | None],
    labels: NDArray[np.int64], weights: Weights = None, other_images: bool = True,
) -> SeedVariance | None:  # fmt: skip
    """How much one training's score varies over seeds, from all finalists that depend on them; None if unknown.

    `finalists` are the class probabilities (images, classes) of the trainings of each. Several show their variance. The
    search trained each finalist once, too: how much the change from search to finals differs between finalists is the
    variance of one seed at least, after that of the images, which are `other_images` than the search's, is subtracted.
    So a seed that is lucky in the finals is noticed. Of a finalist without a comparable search score it is None.
    """
    total, freedom = 0.0, 0
    for trainings in finalists:
        scores = [compute_score(metric, each, labels, weights) for each in trainings]
        total += float(np.var(scores)) * len(scores)
        freedom += len(scores) - 1
    known = [(own[0], score) for own, score in zip(finalists, search_scores, strict=True) if score is not None]
    if len(known) > 1:
        changes = [compute_score(metric, first, labels, weights) - score for first, score in known]
        images = _image_variance(metric, [first for first, _ in known], labels, weights) if other_images else 0.0
        total += max(0.0, float(np.var(changes, ddof=1)) - 2 * images) * (len(known) - 1)
        freedom += len(known) - 1
    return SeedVariance(total / freedom, freedom) if freedom else None


def _image_variance(
    metric: MetricName, trainings: Sequence[NDArray[np.float32]], labels: NDArray[np.int64], weights: Weights
) -> float:
    """Variance of a score, beside the mean of all `trainings`, over images drawn anew."""
    influence = np.stack([image_influence(metric, each, labels, weights) for each in trainings])
    apart = influence - influence.mean(axis=0)
    count = len(trainings)
    return float(apart.var(axis=1, ddof=1).mean()) * count / (count - 1) / len(labels) if len(labels) > 1 else 0.0
