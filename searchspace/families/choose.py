"""The choice of the family that the next trial is drawn from."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from searchspace.families.family import Family
from searchspace.families.outlook import Outlook

FLOOR = 0.2
"""Share of all seconds that is divided among the families that are not exhausted, however hopeless they look.

Beliefs may be wrong. What the other families could have reached comes a quarter later at worst.
"""


@dataclass(frozen=True)
class ChosenFamily:
    """The family of the next trial, and why."""

    family: Family
    outlook: Outlook
    """What is expected of it."""
    by_floor: bool
    """Whether it has had less than its least share, rather than that it pays most."""


def choose_family(
    outlooks: Sequence[Outlook], seconds_left: float = math.inf, steps: Mapping[Family, float] | None = None
) -> ChosenFamily | None:
    """The family whose next trial pays most: expected improvement over the best score, a second.

    Expected improvement a second is Snoek et al.'s (arXiv:1206.2944, section 3.2). Families as arms, whose reward is
    what their next trial may add to the best one, are those of rising bandits (Li et al., AAAI 2020). What a family has
    had less than its part of `FLOOR` of all seconds is its credit, as in deficit round robin (Shreedhar and Varghese,
    1996): it comes first once that covers its next step, which is the next rung of a held trial (its seconds in
    `steps`), or else a new trial.

    What does not end within `seconds_left` is chosen only where nothing does. None where all families are exhausted.
    """
    steps = steps or {}
    able = [outlook for outlook in outlooks if outlook.left > 0]
    if not able:
        return None
    costs = {outlook.family: steps.get(outlook.family, outlook.seconds) for outlook in able}
    fitting = [outlook for outlook in able if costs[outlook.family] <= seconds_left] or able
    share = FLOOR / len(able) * sum(outlook.spent for outlook in outlooks)
    due = [outlook for outlook in fitting if outlook.spent + costs[outlook.family] <= share]
    best = max(due or fitting, key=lambda outlook: outlook.rate)
    return ChosenFamily(family=best.family, outlook=best, by_floor=bool(due))
