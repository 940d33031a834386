"""The choice of the family that the next trial is drawn from."""

from collections.abc import Sequence
from dataclasses import dataclass

from searchspace.families.family import Family
from searchspace.families.outlook import Outlook

FLOOR = 0.05
"""Share of all seconds that is divided among the families, however hopeless they look: beliefs may be wrong."""


@dataclass(frozen=True)
class ChosenFamily:
    """The family of the next trial, and why."""

    family: Family
    outlook: Outlook
    """What is expected of it."""
    by_floor: bool
    """Whether it has had less than its least share, rather than that it pays most."""


def choose_family(outlooks: Sequence[Outlook], seconds_left: float = float("inf")) -> ChosenFamily | None:
    """The family whose next trial pays most: expected improvement over the best score, a second.

    Expected improvement a second is Snoek et al.'s (arXiv:1206.2944, section 3.2). Families as arms, whose reward is
    what their next trial may add to the best one, are those of rising bandits (Li et al., AAAI 2020). A family that
    has had less than its part of `FLOOR` of all seconds comes first once a trial of it fits into that.

    What does not end within `seconds_left` is chosen only where nothing does. None where all families are exhausted.
    """
    able = [outlook for outlook in outlooks if outlook.left > 0]
    if not able:
        return None
    fitting = [outlook for outlook in able if outlook.seconds <= seconds_left] or able
    floor = FLOOR / len(outlooks) * sum(outlook.spent for outlook in outlooks)
    due = [outlook for outlook in fitting if outlook.spent + outlook.seconds <= floor]
    best = max(due or fitting, key=lambda outlook: outlook.rate)
    return ChosenFamily(family=best.family, outlook=best, by_floor=bool(due))
