"""Follows a command through its phases: what each took, and what the others may still take by the present plan."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from searchspace.budget.allowance import Allowance, Phase, unlimited
from searchspace.budget.budget_plan import BudgetPlan, PhaseCost, make_plan
from searchspace.budget.cost_estimates import Workload, estimate_costs
from searchspace.budget.phase_times import PHASES, PhaseStopwatch
from searchspace.budget.plan_lines import format_plan, format_shortfall, format_taken
from searchspace.budget.trial_costs import TrainingCosts
from trainables.config import EpochReport

logger = logging.getLogger(__name__)

SHOWN_CHANGE = 0.1
"""Change of a phase, as a share of the budget, from which a new plan is shown."""
SAVE_INTERVAL_S = 5.0
"""Least seconds between two records of what was spent, while trials report."""
WINNER_SHARE = 0.4
"""Most of what is left after preparation that the winner's retraining may take."""
FIRST_TRIAL_S = 1.0
"""Seconds that the search may always take until a trial is known."""


class BudgetTracker:
    """A listener of the search's trials; without a budget it measures, and allows everything."""

    def __init__(
        self, budget: float, shares: Mapping[Phase, float], work: Workload, costs: TrainingCosts, times: PhaseStopwatch
    ) -> None:
        """Divide `budget` seconds by `shares`; infinite ones are no budget.

        The data are prepared, and preparation is not over. `costs` knows the trials of earlier parts of the search.
        """
        self.budget, self._shares, self._work, self._costs, self._times = budget, shares, work, costs, times
        self._data_seconds = times.seconds()
        self._shown: BudgetPlan | None = None
        self._best: int | None = None
        self._plans: list[dict[str, float]] = []

    @property
    def is_limited(self) -> bool:
        """Whether there is a budget."""
        return not math.isinf(self.budget)

    def plan(self) -> BudgetPlan:
        """The plan by what is known now."""
        limit = self._longest_training
        measured = self._costs.seconds(limit)
        if measured and self._times.phase is Phase.SEARCH:  # where no trial can be retrained in time, others are tried
            measured = replace(measured, winner=min(measured.winner, limit))
        costs = estimate_costs(self._work, measured)
        preparation = self._data_seconds + costs[Phase.PREPARATION].least
        costs[Phase.PREPARATION] = PhaseCost(preparation, preparation)
        left = max(0.0, self.budget - self._times.earlier)
        return make_plan(left, self._times.taken, {phase: costs[phase] for phase in self._times.open}, self._shares)

    @property
    def allowance(self) -> Allowance:
        """Seconds that a phase may still take by the present plan."""
        return self._left if self.is_limited else unlimited

    def _left(self, phase: Phase) -> float:
        left = max(0.0, self.plan().seconds[phase] - self._times.taken.get(phase, 0.0))
        return max(left, FIRST_TRIAL_S) if phase is Phase.SEARCH and not self._costs.is_known else left

    def has_time(self, to_report: float, to_end: float) -> bool:
        """Whether the search has time for a trial, by the seconds until its next report and until its end.

        Always, until a trial is known. Until one is complete that can win, the next report is enough; then only a trial
        that can still be completed is of use.
        """
        if not self._costs.is_known:
            return True
        seconds = to_end if self._costs.has_complete(self._longest_training) else to_report
        return seconds <= self.allowance(Phase.SEARCH)

    def can_win(self, number: int) -> bool:
        """Whether there is time to retrain a trial; where there is for none, whether it is the shortest."""
        return not self.is_limited or self._costs.is_within(number, self._longest_training)

    @property
    def _longest_training(self) -> float:
        """Seconds that a trial may take at full length to be retrained as the winner.

        While the search runs that is a share of what preparation has left, so that a trial that would use up the budget
        does not end the search; afterwards it is what is left.
        """
        costs, taken = estimate_costs(self._work, None), self._times.taken
        closing = sum(costs[phase].least for phase in (Phase.TEST, Phase.EXPORT, Phase.REPORT))
        is_searching = self._times.phase in {Phase.PREPARATION, Phase.SEARCH}
        before = taken[Phase.PREPARATION] if is_searching else sum(taken.values())
        left = max(0.0, self.budget - self._times.earlier - before - closing)
        return (WINNER_SHARE if is_searching else 1.0) * left / (self._work.growth * (1 + self._work.student_share))

    def end_phase(self, phase: Phase) -> None:
        """Hear that a phase is over, and the next one begins; one that has ended before is ignored."""
        if phase is not PHASES[-1] and self._times.begin(PHASES[PHASES.index(phase) + 1]):
            self.save_spent()
            self.show_change()

    def on_gang_ready(self, _slot: int, _info: object) -> None:
        """Hear that a gang can train: preparation is over."""
        if self._times.begin(Phase.SEARCH):
            self.show_change()

    def __call__(self, event: str, number: int, report: EpochReport | None) -> None:
        """Take one event of one trial."""
        if report is None or event != "epoch" or not self.is_limited:
            return
        self._costs.add(number, report)
        self._times.save_spent(SAVE_INTERVAL_S)
        if (best := self._costs.best(self._longest_training)) != self._best:
            self._best = best
            self.show_change()

    def set_winner(self, members: Sequence[int]) -> None:
        """Hear which trial wins, or which ones together."""
        self._costs.set_winner(members)

    def save_spent(self) -> None:
        """Keep what was spent so far, for a resumption."""
        if self.is_limited:
            self._times.save_spent()

    def show_change(self) -> None:
        """Show the plan where it is the first, or differs by much from the one shown last."""
        if not self.is_limited:
            return
        plan, before = self.plan(), self._shown
        if before is not None and not _differs(plan, before):
            return
        self._shown = plan
        self._plans.append({"at": self._times.seconds(), "least": plan.least} | _by_name(plan))
        if before is None and not plan.is_enough:
            logger.warning(format_shortfall(plan))
        else:
            logger.info(format_plan(plan))

    @property
    def facts(self) -> dict[str, Any]:
        """What `search.json` keeps of a budget: its seconds, what the phases took of it, and the plans."""
        if not self.is_limited:
            return {}
        took = {str(phase): seconds for phase, seconds in self._times.taken.items()}
        facts = {"asked": self.budget, "earlier": self._times.earlier, "took": took, "plans": self._plans}
        return {"budget": facts}

    def describe(self) -> list[str]:
        """One line on the budget and what was taken; none without a budget."""
        return [format_taken(self.budget, self._times.taken, self._times.earlier)] if self.is_limited else []


def _by_name(plan: BudgetPlan) -> dict[str, float]:
    return {str(phase): seconds for phase, seconds in plan.seconds.items()}


def _differs(plan: BudgetPlan, before: BudgetPlan) -> bool:
    """Whether a phase of the plan differs by so much that it is to be shown."""
    return any(abs(plan.seconds[phase] - before.seconds[phase]) >= SHOWN_CHANGE * plan.asked for phase in Phase)
