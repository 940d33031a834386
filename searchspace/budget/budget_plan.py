"""The plan of a budget: seconds for each phase, from what the phases need and what more they would take."""

from collections.abc import Mapping
from dataclasses import dataclass

from searchspace.budget.allowance import Phase


@dataclass(frozen=True)
class PhaseCost:
    """What a phase is expected to cost, in seconds."""

    least: float
    """What it cannot do without."""
    wish: float
    """What it takes where time is no matter; at least as much."""


@dataclass(frozen=True)
class BudgetPlan:
    """Seconds for each phase."""

    asked: float
    """The budget."""
    least: float
    """What all phases together cannot do without."""
    seconds: Mapping[Phase, float]
    """Of each phase: what it took if it is over, else what it may take in all."""

    @property
    def total(self) -> float:
        """Seconds of all phases together: at most the budget, or the least where that is more."""
        return sum(self.seconds.values())

    @property
    def is_enough(self) -> bool:
        """Whether the budget is at least what cannot be done without."""
        return self.least <= self.asked


def make_plan(
    asked: float, taken: Mapping[Phase, float], costs: Mapping[Phase, PhaseCost], shares: Mapping[Phase, float]
) -> BudgetPlan:
    """Divide `asked` seconds among the phases.

    `costs` has the whole cost of each phase that is not over; a phase without is over, and took what `taken` says. Each
    open phase gets its least. What is left is divided by `shares`, up to what each phase wishes; the search has no such
    limit. A phase that has taken more than that is given what it took, at the others' expense.
    """
    plan = _divide(asked, taken, costs, shares)
    late = {phase: seconds for phase, seconds in taken.items() if phase in costs and seconds > plan.seconds[phase]}
    if not late:
        return plan
    return _divide(asked, taken, {**costs, **{phase: PhaseCost(took, took) for phase, took in late.items()}}, shares)


def _divide(
    asked: float, taken: Mapping[Phase, float], costs: Mapping[Phase, PhaseCost], shares: Mapping[Phase, float]
) -> BudgetPlan:
    seconds = {phase: costs[phase].least if phase in costs else taken.get(phase, 0.0) for phase in Phase}
    least = sum(seconds.values())
    room = {phase: max(0.0, costs[phase].wish - costs[phase].least) for phase in shares if phase in costs}
    for phase, more in fill(max(0.0, asked - least), room, shares).items():
        seconds[phase] += more
    return BudgetPlan(asked, least, seconds)


def fill(amount: float, room: Mapping[Phase, float], shares: Mapping[Phase, float]) -> dict[Phase, float]:
    """Divide `amount` by `shares`; what a phase has no `room` for goes to the others, as long as any has."""
    given = dict.fromkeys(room, 0.0)
    hungry = [phase for phase in room if room[phase] > 0 and shares[phase] > 0]
    while hungry:
        whole = sum(shares[phase] for phase in hungry)
        full = [phase for phase in hungry if room[phase] <= amount * shares[phase] / whole]
        if not full:
            return given | {phase: amount * shares[phase] / whole for phase in hungry}
        for phase in full:
            given[phase] = room[phase]
        amount -= sum(room[phase] for phase in full)
        hungry = [phase for phase in hungry if phase not in full]
    return given
