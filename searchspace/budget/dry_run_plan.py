"""The plan of a budget from a dry run's measurements, and the search that is forecast by it."""

import math
from collections.abc import Sequence
from statistics import fmean

from searchspace.budget.allowance import Phase
from searchspace.budget.budget_plan import BudgetPlan, PhaseCost, make_plan
from searchspace.budget.cost_estimates import TrialSeconds, Workload, estimate_costs
from searchspace.budget.presets import PRESETS
from searchspace.forecast.phase_costs import most_trainings, training_seconds
from searchspace.spec import SearchSpec
from trainables.training.timing import Timing


def plan_dry_run(
    budget: float, spec: SearchSpec, work: Workload, timings: Sequence[Timing], start: float
) -> BudgetPlan:
    """The plan of a search whose gangs are warm after `start` seconds; any of what was timed may win."""
    seconds = [training_seconds(timing, spec.max_epochs) for timing in timings]
    finals = fmean(most_trainings(spec, timing) * each for timing, each in zip(timings, seconds, strict=True))
    costs = estimate_costs(work, TrialSeconds(fmean(seconds), finals, max(seconds)))
    costs[Phase.PREPARATION] = PhaseCost(start, start)
    return make_plan(budget, {}, costs, PRESETS[spec.preset].shares)


def spec_within(plan: BudgetPlan, spec: SearchSpec, slots: int, timings: Sequence[Timing]) -> SearchSpec:
    """The search that a plan has room for: limited by its time, and to the trials that can reach their first rung."""
    seconds = plan.seconds[Phase.SEARCH]
    shortest = min(training_seconds(timing, spec.grace_epochs) for timing in timings)
    trials = max(1, math.ceil(slots * seconds / max(shortest, 1e-3)))
    limit = min(seconds, spec.time_budget or math.inf)
    return spec.model_copy(update={"time_budget": limit, "trials": min(spec.trials, trials)})


def finals_seconds(plan: BudgetPlan) -> float:
    """Seconds of all trainings after the search: the finals' and the winner's."""
    return plan.seconds[Phase.FINALS] + plan.seconds[Phase.WINNER]
