"""Which finalists of a race are trained next, and which trainings are needed no longer. Pure decisions.

Nothing is remembered: each decision follows from what has ended so far, so a race that was interrupted goes on alike,
and a finalist that a new leader does not beat any more is in the race again.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from searchspace.finals.comparison import ComparisonOutcome
from searchspace.finals.finalist import Finalist

SEEDS_FOR_AN_INTERVAL = 2
"""Trainings that show how much a finalist varies; the winner has as many unless it does not depend on its seed."""


@dataclass(frozen=True)
class Entrant:
    """A finalist in the race. A training is one from a fresh seed, or with folds one repetition of all."""

    number: int
    """Its trial."""
    most: int
    """Trainings that it can have: the fresh seeds, or 1 where no seed changes anything."""
    seconds: float
    """Expected duration of one training."""
    scored: int = 0
    """Trainings that ended with a score."""
    failed: int = 0
    """Trainings that failed."""
    running: int = 0
    """Trainings that have begun and not ended."""
    is_deterministic: bool = False
    """Whether it does not depend on its seed, and takes next to nothing, as a closed-form head."""

    @property
    def begun(self) -> int:
        """Trainings that have begun."""
        return self.scored + self.failed + self.running


@dataclass(frozen=True)
class RaceStanding:
    """What the scores so far say."""

    leader: int | None = None
    """Finalist with the best mean score; None before the first score."""
    behind: frozenset[int] = frozenset()
    """Finalists that are significantly behind it."""
    likely_behind: frozenset[int] = frozenset()
    """Finalists that would be if no score depended on a seed: the leader's next seed will probably tell."""


def read_standing_of(finalists: Sequence[Finalist], if_seeds_agreed: Sequence[Finalist]) -> RaceStanding:
    """The standing by `select_winner`, with seeds as they vary, and as if they did not."""

    def significant(found: Sequence[Finalist]) -> frozenset[int]:
        return frozenset(
            f.members[0] for f in found if f.comparison and f.comparison.outcome == ComparisonOutcome.SIGNIFICANT
        )

    return RaceStanding(finalists[0].members[0], significant(finalists), significant(if_seeds_agreed))


def next_entrants(entrants: Sequence[Entrant], standing: RaceStanding, seconds_left: float = math.inf) -> list[int]:
    """Finalists whose next training should begin, the most urgent first, each once; `entrants` are by search score.

    First all are trained once: the longest first, which ends soonest; within a budget those without seeds, then the
    best of the search. Then those go on that can still win, the one with the fewest trainings first. One that the
    leader's second training will probably drop waits for that. A training that takes more than `seconds_left` is not
    begun, except that of a closed-form head where nothing has a score.
    """
    anything = any(each.scored or each.running for each in entrants)
    fitting = [
        each for each in entrants
        if each.seconds <= seconds_left or (each.is_deterministic and not anything)
    ]  # fmt: skip
    first = [each for each in fitting if not each.begun]
    if first:
        bounded = math.isfinite(seconds_left)
        key = (lambda e: (not e.is_deterministic, 0.0)) if bounded else (lambda e: (False, -e.seconds))
        return [each.number for each in sorted(first, key=key)]
    again = [each for each in fitting if each.begun < goal_of(each, entrants, standing)]
    if any(not each.scored and each.running for each in entrants):
        again = [each for each in again if each.number == standing.leader and each.begun < SEEDS_FOR_AN_INTERVAL]
    leader = next((each for each in entrants if each.number == standing.leader), None)
    if leader and leader.scored + leader.failed < min(SEEDS_FOR_AN_INTERVAL, leader.most):
        again = [each for each in again if each.number not in standing.likely_behind]
    return [each.number for each in sorted(again, key=lambda e: (e.begun, e.number != standing.leader, -e.seconds))]


def is_needed(number: int, entrants: Sequence[Entrant], standing: RaceStanding) -> bool:
    """Whether a training of finalist `number` that is running can still change the winner or its interval."""
    entrant = next(each for each in entrants if each.number == number)
    return entrant.begun <= max(1, goal_of(entrant, entrants, standing)) or not entrant.scored


def goal_of(entrant: Entrant, entrants: Sequence[Entrant], standing: RaceStanding) -> int:
    """Trainings that an entrant should have, as far as is known."""
    if entrant.number in standing.behind:
        return 0
    others = {each.number for each in entrants if each.number != entrant.number and (each.scored or each.running)}
    is_alone = entrant.number == standing.leader and others <= standing.behind
    if is_alone or not entrant.scored:  # one whose first training failed has one more try
        return min(entrant.most, SEEDS_FOR_AN_INTERVAL + entrant.failed * is_alone)
    return entrant.most
