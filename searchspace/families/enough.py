"""When a search has searched enough: the chance of a better winner within what is left."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from searchspace.families.beliefs import Estimate, chance_below, normal_cdf
from searchspace.families.learning_curve import Scale
from searchspace.families.outlook import Outlook


@dataclass(frozen=True)
class Remainder:
    """What is left of a search."""

    trials: float
    """Configurations that may still be begun."""
    seconds: float
    """Seconds of training, over all slots."""


def least_gain(log_best: float, scale: Scale) -> float:
    """The smallest gain that counts: one validation image, or the standard error of the best score if that is more.

    A search that is expected to gain less than its score's statistical error has converged (arXiv:2104.08166).
    """
    error = min(1.0, math.exp(log_best))
    return max(1.0, math.sqrt(error * (1 - error) * scale.images)) / max(1, scale.images)


def chance_of_better(
    outlooks: Sequence[Outlook], unfinished: Sequence[Estimate], log_best: float, scale: Scale, left: Remainder
) -> float:
    """Chance that a search with what is `left` finds an error smaller than the best one by more than `least_gain`.

    It is that of the likeliest way: all that is left spent on one family, or one of the `unfinished` trials trained on.
    """
    target = math.exp(log_best) - least_gain(log_best, scale)
    if target <= 0:
        return 0.0
    goal = math.log(target)
    chances = [normal_cdf((goal - e.mean) / math.sqrt(e.variance)) for e in unfinished if e.variance > 0]
    for outlook in outlooks:
        draws = min(left.trials, outlook.left, left.seconds / outlook.seconds)
        if draws > 0:
            chances.append(chance_below(goal, outlook.belief, draws))
    return max(chances, default=0.0)
