"""Normal beliefs about the logarithm of an error: what they expect to gain, and their chances."""

import math
from dataclasses import dataclass

import numpy as np

QUADRATURE_NODES = 15
"""Points at which the uncertainty of a family's mean is integrated."""


@dataclass(frozen=True)
class Estimate:
    """A normal belief about the logarithm of a trial's error at its full length."""

    mean: float
    variance: float
    """0 for a trial at its full length."""


@dataclass(frozen=True)
class Belief:
    """A normal belief about the logarithm of the error of a family's next trial at its full length."""

    mean: float
    """Its mean, over the better half of the family's trials."""
    mean_deviation: float
    """How well that mean is known."""
    spread: float
    """Standard deviation between the family's trials."""

    @property
    def deviation(self) -> float:
        """Standard deviation of the next trial."""
        return math.hypot(self.mean_deviation, self.spread)


def expected_improvement(mean: float, deviation: float, log_best: float) -> float:
    """Expected fall of the error below the best one, in the metric's unit.

    The log-normal form of expected improvement (Jones 1998, doi:10.1023/A:1008306431147): no error falls below zero.
    """
    best = math.exp(log_best)
    if deviation <= 0:
        return max(0.0, best - math.exp(mean))
    distance = (log_best - mean) / deviation
    # The mean of an error below the best one; its logarithm keeps a wide belief from overflowing.
    expected = math.exp(min(mean + deviation**2 / 2, 700.0)) * normal_cdf(distance - deviation)
    return max(0.0, best * normal_cdf(distance) - expected)


def normal_cdf(value: float) -> float:
    """Standard normal distribution function."""
    return 0.5 * math.erfc(-value / math.sqrt(2))


def chance_below(goal: float, belief: Belief, draws: float) -> float:
    """Chance that the logarithm of the error of one of so many trials of a family is below `goal`.

    The trials deviate from a mean that is only believed: they hit or miss together.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(QUADRATURE_NODES)
    missed = 0.0
    for node, weight in zip(nodes, weights / weights.sum(), strict=True):
        mean = belief.mean + belief.mean_deviation * float(node)
        missed += float(weight) * (1.0 - normal_cdf((goal - mean) / belief.spread)) ** draws
    return min(1.0, max(0.0, 1.0 - missed))
