"""When a search has searched enough: the chance of a better winner within what is left."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from searchspace.families.beliefs import Estimate, chance_below, normal_cdf
from searchspace.families.learning_curve import Scale
from searchspace.families.outlook import Outlook

LEAST_CHANCE_OF_BETTER = 0.05
"""Chance of a better winner below which a search that has lost patience ends."""


class EndReason(StrEnum):
    """Why a search ends before its trials and its time are used up."""

    CHANCE = "chance"
    """A better winner is unlikely."""
    NOISE_FLOOR = "noise floor"
    """The best trial makes no error, and its loss cannot be lowered measurably."""


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


@dataclass(frozen=True)
class Found:
    """What a search has found, as far as its end depends on it."""

    awaited: int
    """First trials, which were enqueued, that have not reported yet."""
    without_gain: int
    """Trials in a row whose first report came, and none of which raised the best score."""
    score: float
    """Validation score of the best trial at its full length."""
    loss: float
    """Its mean validation cross-entropy, in nats."""


@dataclass(frozen=True)
class EndDecision:
    """The decision to end a search early."""

    reason: EndReason
    chance: float
    """Of a better winner within what was left."""


def is_at_noise_floor(score: float, loss: float, scale: Scale) -> bool:
    """Whether no trial can score higher, and none can lower the loss measurably.

    The loss is then below ln(2) / images. All images together have less of it than one image on the brink of an error,
    so that every image is classified correctly, and what is left to gain is less than a single image's worth.
    """
    floor = math.log(2) / max(1, scale.images)
    return loss <= floor and scale.highest - score <= floor


def decide_end(found: Found, scale: Scale, patience: int, chance: Callable[[], float]) -> EndDecision | None:
    """Whether a search ends early; None: it goes on. The `chance` of a better winner is asked for only where it counts.

    As with early stopping in training, `patience` is the number of trials in a row without gain. That alone ends no
    search: the chance of a better winner has to be small, too (arXiv:2104.08166), by learning curves that are
    extrapolated (arXiv:1712.00409). No search ends before all its first trials have reported.
    """
    if not patience or found.awaited:
        return None
    if is_at_noise_floor(found.score, found.loss, scale):
        return EndDecision(EndReason.NOISE_FLOOR, 0.0)
    if found.without_gain < patience or (likely := chance()) >= LEAST_CHANCE_OF_BETTER:
        return None
    return EndDecision(EndReason.CHANCE, likely)
