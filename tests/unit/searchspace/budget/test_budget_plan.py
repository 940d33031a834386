"""The plan of a budget: never negative, never more than there is, and more of everything for a larger budget."""

import math
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchspace.budget.allowance import Phase
from searchspace.budget.budget_plan import PhaseCost, fill, make_plan
from searchspace.budget.cost_estimates import TrialSeconds, Workload, estimate_costs
from searchspace.budget.dry_run_plan import plan_dry_run, spec_within
from searchspace.budget.presets import PRESETS
from searchspace.spec import make_spec
from trainables.config import TrialConfig
from trainables.training.timing import Timing

SECONDS = st.floats(0.0, 1000.0)
SHARES = [preset.shares for preset in PRESETS.values()]
PHASES = list(Phase)


@st.composite
def situations(draw):
    """What phases took and cost when one of them is under way."""
    current = draw(st.integers(0, len(PHASES) - 1))
    taken = {phase: draw(SECONDS) for phase in PHASES[: current + 1]}
    costs = {}
    for phase in PHASES[current:]:
        least = draw(SECONDS)
        wish = math.inf if phase is Phase.SEARCH else least + draw(SECONDS)
        costs[phase] = PhaseCost(least, wish)
    return taken, costs, draw(st.sampled_from(SHARES))


@given(situations(), SECONDS)
def test_no_phase_gets_less_than_its_least_and_all_together_no_more_than_there_is(situation, asked):
    taken, costs, shares = situation
    plan = make_plan(asked, taken, costs, shares)
    assert set(plan.seconds) == set(Phase)
    for phase in Phase:
        assert plan.seconds[phase] >= 0.0
        if phase in costs:
            assert plan.seconds[phase] >= costs[phase].least - 1e-9 or plan.seconds[phase] == taken.get(phase)
            assert plan.seconds[phase] <= max(costs[phase].wish, taken.get(phase, 0.0)) + 1e-6
        else:
            assert plan.seconds[phase] == taken[phase]
    assert plan.total <= max(asked, plan.least) + 1e-6


@given(situations(), SECONDS)
def test_the_least_that_is_stated_is_what_the_plan_needs(situation, asked):
    taken, costs, shares = situation
    least = make_plan(asked, taken, costs, shares).least
    plan = make_plan(least, taken, costs, shares)
    late = any(taken.get(phase, 0.0) > cost.least for phase, cost in costs.items())
    assert plan.is_enough or late
    assert plan.total <= least + 1e-6 or late


@given(situations(), SECONDS, SECONDS)
def test_a_larger_budget_gives_no_phase_less(situation, asked, more):
    taken, costs, shares = situation
    costs = {phase: cost for phase, cost in costs.items() if cost.least >= taken.get(phase, 0.0)}
    taken = {phase: taken.get(phase, 0.0) for phase in Phase if phase not in costs}
    small, large = (make_plan(asked + extra, taken, costs, shares).seconds for extra in (0.0, more))
    assert all(large[phase] >= small[phase] - 1e-6 for phase in Phase)


@given(situations(), SECONDS, st.sampled_from(PHASES), SECONDS)
def test_where_a_phase_becomes_dearer_no_other_gets_more(situation, asked, dear, more):
    _, costs, shares = situation
    costs = {phase: costs.get(phase, PhaseCost(1.0, 2.0)) for phase in Phase}
    raised = PhaseCost(costs[dear].least + more, costs[dear].wish + more)
    before = make_plan(asked, {}, costs, shares).seconds
    after = make_plan(asked, {}, costs | {dear: raised}, shares).seconds
    assert all(after[phase] <= before[phase] + 1e-6 for phase in Phase if phase is not dear)


def test_what_a_phase_has_no_room_for_goes_to_the_others():
    shares = {Phase.SEARCH: 0.5, Phase.FINALS: 0.4, Phase.EXPORT: 0.1}
    room = {Phase.SEARCH: math.inf, Phase.FINALS: 10.0, Phase.EXPORT: 100.0}
    assert fill(100.0, room, shares) == pytest.approx({Phase.SEARCH: 75.0, Phase.FINALS: 10.0, Phase.EXPORT: 15.0})
    del room[Phase.SEARCH]
    assert fill(1000.0, room, shares) == {Phase.FINALS: 10.0, Phase.EXPORT: 100.0}


CLOSING = {Phase.TEST: 2.0, Phase.EXPORT: 60.0, Phase.REPORT: 3.0}
GRID = list(
    product(
        [1, 2, 8],
        [0.0, 1.0],
        [False, True],
        [None, TrialSeconds(2.0, 6.0, 2.0), TrialSeconds(60.0, 3000.0, 700.0)],
        [60.0, 600.0],
    )
)


@pytest.mark.parametrize(("slots", "student", "pretrained", "measured", "asked"), GRID)
def test_estimated_costs_make_a_plan_that_holds(slots, student, pretrained, measured, asked):
    work = Workload(
        slots=slots, student_share=student, train_images=3000, test_images=600, growth=1.2,
        is_pretrained=pretrained, closing=CLOSING,
    )  # fmt: skip
    costs = estimate_costs(work, measured)
    assert set(costs) == set(Phase)
    assert all(0.0 <= cost.least <= cost.wish for cost in costs.values())
    plan = make_plan(asked, {}, costs, PRESETS["balanced"].shares)
    assert plan.total == pytest.approx(max(asked, plan.least))
    assert plan.seconds[Phase.SEARCH] >= costs[Phase.SEARCH].least
    if measured:
        assert plan.seconds[Phase.WINNER] >= 1.2 * measured.winner, "the winner is always trained"


def test_what_closes_a_search_costs_what_it_cost_before():
    work = Workload(2, 0.0, 3000, 600, 1.2, is_pretrained=True, closing=CLOSING)
    costs = estimate_costs(work, None)
    assert (costs[Phase.TEST].least, costs[Phase.EXPORT].wish) == (2.0, 60.0)
    assert costs[Phase.REPORT].least > 3.0, "the command does not end with its report"
    assert costs[Phase.EXPORT].least < 60.0


def test_a_dry_run_plans_what_it_timed():
    spec = make_spec(name="x", budget="10m", max_epochs=10)
    work = Workload(2, 0.0, 3000, 600, 1.2, is_pretrained=False, closing=CLOSING)
    timings = [Timing(config=TrialConfig(), steps=10, step_seconds=each, setup_seconds=1.0) for each in (0.1, 0.3)]
    plan = plan_dry_run(600.0, spec, work, timings, start=12.0)
    assert plan.total == pytest.approx(600.0)
    assert plan.seconds[Phase.PREPARATION] == 12.0
    assert plan.seconds[Phase.WINNER] == pytest.approx(1.2 * 21.0)
    inside = spec_within(plan, spec, 2, timings)
    assert inside.time_budget == plan.seconds[Phase.SEARCH]
    assert 2 <= inside.trials < spec.trials
