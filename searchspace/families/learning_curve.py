"""Learning curves as power laws: the error of a trial at its full length, from its error so far.

The logarithm of the error falls in a line with the logarithm of the epoch (arXiv:1712.00409); the slope is a family's
own. Before a family shows its slope, the prior says what recorded curves of small networks had: means of 0.1
(CIFAR-10), 0.2 (Fashion-MNIST) and 0.8 (digits) from epoch 2 to 18, with deviations of 0.1, 0.2 and 0.6.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from searchspace.families.beliefs import Estimate
from searchspace.families.trial_progress import TrialProgress

PRIOR_SLOPE, PRIOR_DEVIATION = 0.4, 0.35
"""Of a family's mean slope."""
TRIAL_DEVIATION = 0.4
"""Standard deviation of the slopes of trials around their family's mean, and of the rest of a curve around its begin.

Of recorded curves, slopes from epoch 2 to 18 vary by 0.04 (CIFAR-10, 20 curves), 0.12 (Fashion-MNIST, 50) and 0.58
(digits, 55) within a data set, those from 6 to 18 by 0.05, 0.07 and 0.83: 0.34 and 0.48 in the quadratic mean.
"""
SCORE_NOISE = 0.1
"""Standard deviation of the logarithm of an epoch's error: a slope over few epochs says little."""


@dataclass(frozen=True)
class Scale:
    """How scores become errors."""

    highest: float
    """The metric's largest value, of which the error is the distance; 1 for shares, 0 for a negated loss."""
    images: int
    """Validation images: no error smaller than half an image's share can be seen."""
    max_epochs: int
    """Full length of a trial, in epochs."""

    def log_error(self, score: float) -> float:
        """Logarithm of the error of `score`."""
        return math.log(max(self.highest - score, 0.5 / max(1, self.images)))

    def noise(self, log_error: float) -> float:
        """Variance of the logarithm of an error that was counted on the validation images."""
        return 1.0 / (math.exp(min(0.0, log_error)) * max(1, self.images))


@dataclass(frozen=True)
class Slope:
    """Posterior of a family's mean slope."""

    mean: float
    variance: float


def fit_slope(trials: Sequence[TrialProgress], scale: Scale) -> Slope:
    """The slope of a family, from those of its trials that were scored at two epochs or more."""
    precision, total = 1 / PRIOR_DEVIATION**2, PRIOR_SLOPE / PRIOR_DEVIATION**2
    for trial in trials:
        if len(trial.epochs) < 2:
            continue
        span = math.log(trial.epochs[-1] / trial.epochs[0])
        fall = scale.log_error(trial.scores[0]) - scale.log_error(trial.scores[-1])
        weight = 1 / (TRIAL_DEVIATION**2 + 2 * (SCORE_NOISE / span) ** 2)
        precision, total = precision + weight, total + weight * fall / span
    return Slope(total / precision, 1 / precision)


def extrapolate(trial: TrialProgress, slope: Slope, scale: Scale) -> Estimate:
    """The belief about a trial that was scored at least once."""
    reached = scale.log_error(trial.best)
    ahead = math.log(max(1.0, scale.max_epochs / max(1, trial.epoch)))
    return Estimate(reached - slope.mean * ahead, (slope.variance + TRIAL_DEVIATION**2) * ahead**2)
