"""Early stopping: pure rules, one contract for all, and the cases that tell them apart."""

import math
import random

import pytest

from searchspace.reporting.tables.pareto import by_front
from searchspace.stopping.asha import Asha
from searchspace.stopping.asha_seconds import AshaSeconds
from searchspace.stopping.pasha import Pasha
from searchspace.stopping.rules import SCHEDULERS, make_rule
from searchspace.stopping.rung import Observation, rungs
from searchspace.stopping.simulate_curves import Curve, simulate
from trainables.common.errors import UserError

LENGTH = 18
RUNGS = rungs(2, 3, LENGTH)


def curves(count: int, seed: int = 0, noise: float = 0.0) -> list[Curve]:
    """Curves that rise towards their own best, some of which diverge."""
    rng = random.Random(seed)
    found = []
    for _ in range(count):
        best, cost = rng.random(), rng.choice([1.0, 1.0, 10.0])
        values = [best * (1 - 0.7**e) + rng.gauss(0, noise) for e in range(1, LENGTH + 1)]
        if rng.random() < 0.15:
            values = [*values[: rng.randrange(LENGTH)], -math.inf]
        found.append(Curve([cost * e for e in range(1, len(values) + 1)], values))
    return found


RULES = {name: lambda name=name: make_rule(name, "epochs", RUNGS, 3) for name in SCHEDULERS} | {
    "seconds": lambda: AshaSeconds(RUNGS, 3)
}


@pytest.mark.parametrize("slots", [1, 4])
@pytest.mark.parametrize("name", RULES)
def test_every_rule_trains_each_epoch_once_in_order_and_lets_the_best_finish(name, slots):
    given = curves(64)
    reached = dict.fromkeys(range(64), 0)
    times = []
    for step in simulate(given, RULES[name](), slots):
        assert step.observation.epoch == reached[step.observation.trial] + 1
        reached[step.observation.trial] += 1
        times.append(step.time)
    assert times == sorted(times)
    assert min(reached.values()) >= 1, "every trial is begun"
    held = [t for t, epoch in reached.items() if epoch < len(given[t].values)]
    assert all(reached[t] in RUNGS for t in held), "nobody is held back but at a rung"
    best = max(range(64), key=lambda t: given[t].values[-1])
    furthest = max(reached.values())
    assert reached[best] == furthest, "without noise the best is among those that come furthest"


@pytest.mark.parametrize("name", [name for name in RULES if name not in SCHEDULERS or SCHEDULERS[name].uses_rungs])
def test_early_stopping_trains_less(name):
    given = curves(64)
    trained = sum(1 for _ in simulate(given, RULES[name]()))
    assert trained < 0.7 * sum(len(curve.values) for curve in given)


def hear(rule, *reports):
    return [rule.report(Observation(trial=t, epoch=e, value=m, seconds=s)) for t, e, m, s in reports]


def test_asha_lets_one_in_three_go_on_best_first():
    rule = Asha((1, 3), 3)
    assert hear(rule, (0, 1, 0.5, 1), (1, 1, 0.6, 1)) == [False, False]
    assert rule.promote() is None, "two are too few to know"
    assert hear(rule, (2, 1, 0.4, 1)) == [False]
    assert rule.promote() == 1
    assert rule.promote() is None
    assert rule.standing(1) is None
    assert rule.standing(0).model_dump() == {"rung": 1, "merit": 0.5, "cutoff": 0.6, "rank": 2, "of": 3}
    assert hear(rule, (3, 1, 0.7, 1), (4, 1, 0.1, 1), (5, 1, 0.9, 1)) == [True, False, True]
    assert hear(rule, (1, 2, 0.7, 2), (1, 3, 0.8, 3)) == [True, False]
    rule.drain()
    assert sorted(iter(rule.promote, None)) == [1], "at the end the best of a rung goes on"


def test_a_failed_trial_counts_among_those_held_back():
    rule = Asha((1, 3), 3)
    hear(rule, (0, 1, 0.5, 1))
    rule.fail(1)
    rule.fail(2)
    assert rule.promote() == 0
    rule.drain()
    assert rule.promote() is None, "those that failed never go on"


def test_asha_agrees_with_the_paper_on_a_synchronous_case():
    """All 27 trials at a rung before any goes on: the top 9, then the top 3 of those, as in successive halving."""
    rule = Asha((1, 3, 9), 3)
    for trial in range(27):
        rule.report(Observation(trial=trial, epoch=1, value=-trial))
    passed = []
    while (trial := rule.promote()) is not None:
        passed.append(trial)
    assert sorted(passed) == list(range(9))
    for trial in range(9):
        rule.report(Observation(trial=trial, epoch=3, value=-trial))
    assert sorted(iter(rule.promote, None)) == [0, 1, 2]


def test_pasha_goes_further_only_while_rankings_change():
    stable, unstable = Pasha((1, 3, 9), 3), Pasha((1, 3, 9), 3)
    for rule, third in ((stable, (0.3, 0.2, 0.1)), (unstable, (0.1, 0.2, 0.3))):
        for trial in range(9):
            rule.report(Observation(trial=trial, epoch=1, value=-trial / 100))
        assert sorted(iter(rule.promote, None)) == [0, 1, 2]
        passed = [rule.report(Observation(trial=trial, epoch=3, value=value)) for trial, value in enumerate(third)]
        assert passed == [False, False, rule is unstable]
        assert rule.promote() is None, "where the ranking is known, nobody needs more epochs"


def test_seconds_are_compared_not_epochs():
    """A slow trial is as good after an epoch as quick ones were, but they were much better by that many seconds."""
    quick = [(t, e, 0.5 + 0.1 * e + t / 100, e * 1.0) for t in range(3) for e in (1, 2, 3)]
    slow = (9, 1, 0.62, 100.0)
    by_epochs, by_seconds = Asha((1, 3), 2), AshaSeconds((1, 3), 2)
    for rule in (by_epochs, by_seconds):
        for report in quick:
            rule.report(Observation(trial=report[0], epoch=report[1], value=report[2], seconds=report[3]))
            while rule.promote() is not None:
                pass
    assert hear(by_epochs, slow) == [True], "no quick trial had more after its first epoch"
    assert hear(by_seconds, slow) == [False]
    assert by_seconds.standing(9).rank > 2


def test_with_equal_costs_seconds_are_epochs():
    rng = random.Random(3)
    given = [Curve(list(range(1, 19)), [best * (1 - 0.7**e) for e in range(1, 19)]) for best in (rng.random(),) * 1]
    given += [
        Curve(list(range(1, 19)), [b * (1 - 0.7**e) for e in range(1, 19)]) for b in (rng.random() for _ in range(80))
    ]
    full = {
        name: {s.observation.trial for s in simulate(given, RULES[name]()) if s.observation.epoch == LENGTH}
        for name in ("asha", "seconds")
    }
    assert len(full["asha"] & full["seconds"]) >= 0.7 * len(full["asha"])


def test_combinations_without_a_rule_are_named():
    with pytest.raises(UserError, match="--scheduler 'pasha'"):
        make_rule("pasha", "seconds", RUNGS, 3)
    with pytest.raises(UserError, match="--budget-unit 'seconds'"):
        make_rule("asha", "seconds", RUNGS, 3, order=list)


def test_with_two_objectives_the_front_goes_on():
    """The quick network is the worst by score, and still nobody else offers what it does."""
    latencies = {0: 9.0, 1: 9.5, 2: 1.0, 3: 5.0, 4: 9.0, 5: 8.0}
    rule = make_rule("asha", "epochs", (1, 3), 3, by_front(latencies))
    values = {0: 0.90, 1: 0.89, 2: 0.60, 3: 0.55, 4: 0.80}
    assert hear(rule, *((trial, 1, value, 1) for trial, value in values.items()))[:2] == [
        True,
        False,
    ]
    rule.fail(5)
    rule.drain()
    gone_on = {trial for trial in values if rule.standing(trial) is None} | set(iter(rule.promote, None))
    assert gone_on == {0, 2}, "two of six: the best, and the quickest"


def test_kinds_of_networks_are_not_compared_before_their_end():
    rule = make_rule("asha", "epochs", (1, 3), 3)
    values = {"frozen": (0.80, 0.81, 0.82), "scratch": (0.1, 0.3, 0.2)}
    for start, kind in enumerate(values):
        for trial, value in enumerate(values[kind], start=3 * start):
            rule.report(Observation(trial=trial, epoch=1, value=value, kind=kind))
    assert sorted(iter(rule.promote, None)) == [4], "the third of each kind to come let the best go on"
    assert rule.standing(2) is None, "which it was itself"
    assert rule.standing(3) is None, "the first of each kind goes on in any case"
    assert rule.standing(5).of == 3
    rule.fail(6, "pretrained")
    rule.drain()
    assert not {6} & set(iter(rule.promote, None))
    for trial, kind in ((2, "frozen"), (4, "scratch")):
        assert rule.report(Observation(trial=trial, epoch=3, value=0.9, kind=kind)), "the best of each kind trains on"


def test_at_equal_seconds_all_kinds_are_compared():
    rule = make_rule("asha", "seconds", (1, 3), 2)
    rule.report(Observation(trial=0, epoch=1, value=0.5, seconds=1.0, kind="scratch"))
    assert rule.report(Observation(trial=1, epoch=1, value=0.6, seconds=100.0, kind="pretrained"))
    assert not rule.report(Observation(trial=2, epoch=1, value=0.4, seconds=100.0, kind="frozen"))
