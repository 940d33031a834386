"""Which finalists are hopeless by what the search knows of them, so that no seconds are spent on them again."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from trainables.metrics.metric_registry import MetricName

LEAST_CHANCE = 0.01
"""Chance of being better than the best of the search with which a finalist that costs no more is trained again."""
MOST_CHANCE = 0.05
"""The same for a finalist that costs much more: it rises in proportion to the cost, up to this."""
SEED_DEVIATION = 0.01
"""Deviation of one training's score over seeds, as far as it is not by single images: assumed, as the search trains
each configuration once. Of closed-form heads it is 0."""
SHARED_VARIANCE = 0.5
"""Share of the variance over images that a difference of two scores on the same images keeps: both err on the hard
ones. Independent errors would keep all."""
OTHER_METRICS = 2.0
"""How much more than the accuracy's standard error that of a metric is assumed that gives rare classes more weight."""


@dataclass(frozen=True)
class Prospect:
    """What the search says of a finalist."""

    number: int
    """Its trial."""
    score: float | None
    """Score at full length; None where it was stopped early."""
    accuracy: float
    """Validation accuracy then."""
    seconds: float
    """Expected duration of one training."""
    is_deterministic: bool
    """Whether it does not depend on its seed."""


def find_hopeless(metric: MetricName, prospects: Sequence[Prospect], images: int, tried: int) -> dict[int, float]:
    """The finalists that have too little chance to be worth their cost, and how far they are behind the best.

    `images` is the number of the search's validation images, and `tried` that of the trials which the best is the best
    of. Scores that are no shares of images, and unknown counts, tell nothing.
    """
    known = [each for each in prospects if each.score is not None]
    if metric == "log_loss" or not images or not known:
        return {}
    best = max(known, key=lambda each: each.score or 0.0)
    hopeless = {}
    for each in known:
        needed = min(MOST_CHANCE, LEAST_CHANCE * max(1.0, each.seconds / max(best.seconds, 1e-9)))
        if each is not best and chance(metric, best, each, images, tried) < needed:
            hopeless[each.number] = (best.score or 0.0) - (each.score or 0.0)
    return hopeless


def chance(metric: MetricName, best: Prospect, other: Prospect, images: int, tried: int) -> float:
    """Chance that `other` is truly better than `best`, whose lead is partly luck, as it is the best of `tried`.

    The luck expected of the best of n is that of the largest of n normal draws (Blom, 1958).
    """
    variances = [_variance(metric, each, images) for each in (best, other)]
    luck = NormalDist().inv_cdf((tried - 0.375) / (tried + 0.25)) * math.sqrt(variances[0]) if tried > 1 else 0.0
    lead = (best.score or 0.0) - (other.score or 0.0) - luck
    return 1 - NormalDist().cdf(lead / max(math.sqrt(sum(variances)), 1e-9))


def _variance(metric: MetricName, prospect: Prospect, images: int) -> float:
    """Variance of a search score by chance: of the images, as far as they differ between trials, and of the seed."""
    # One error more and one less, as of a share that may be 0 or 1 by luck.
    share = (prospect.accuracy * images + 1) / (images + 2)
    factor = 1.0 if metric == "accuracy" else OTHER_METRICS**2
    seed = 0.0 if prospect.is_deterministic else SEED_DEVIATION**2
    return SHARED_VARIANCE * factor * share * (1 - share) / images + seed
