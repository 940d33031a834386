"""Fronts, checked against their definition, and the board."""

import random

import optuna
import pytest

from searchspace.reporting.tables.pareto import pareto_front, pareto_order, pareto_ranks, pareto_rows
from searchspace.reporting.tables.trials import rank_trials
from searchspace.study.trial_attributes import record_config, record_cost, record_report
from trainables.config import EpochReport, TrialConfig
from trainables.export.benchmark.architecture_cost import ArchitectureCost


def dominates(one, other):
    return one[0] >= other[0] and one[1] <= other[1] and one != other


def ranks_by_definition(points):
    left, found, rank = set(range(len(points))), {}, 0
    while left:
        best = {i for i in left if not any(dominates(points[j], points[i]) for j in left)}
        found |= dict.fromkeys(best, rank)
        left, rank = left - best, rank + 1
    return [found[i] for i in range(len(points))]


@pytest.mark.parametrize("seed", range(40))
def test_ranks_are_those_of_the_definition(seed):
    rng = random.Random(seed)
    grid = rng.choice([3, 6, 1000])  # coarse ones are full of ties and doubles
    points = [(rng.randrange(grid) / grid, float(rng.randrange(grid))) for _ in range(rng.randrange(60))]
    assert pareto_ranks(points) == ranks_by_definition(points)
    assert pareto_front(points) == [i for i, p in enumerate(points) if not any(dominates(q, p) for q in points)]


@pytest.mark.parametrize("seed", range(5))
def test_order_goes_front_by_front_and_spreads_out(seed):
    rng = random.Random(seed)
    points = [(rng.random(), rng.random()) for _ in range(50)]
    found, placed = pareto_order(points), pareto_ranks(points)
    assert sorted(found) == list(range(50))
    assert [placed[i] for i in found] == sorted(placed)
    first = [i for i in found if placed[i] == 0]
    assert points[first[0]][0] == max(p[0] for p in points)
    if len(first) > 1:
        assert points[first[1]][1] == min(p[1] for p in points), "the far end of the front"


def test_an_equal_front_keeps_the_order_of_its_points():
    assert pareto_order([(0.5, 1.0)] * 4) == [0, 1, 2, 3]
    assert pareto_order([]) == []


def ended(study, score, latency, length=3):
    trial = study.ask()
    record_config(trial, TrialConfig(width=8), seed=0)
    if latency is not None:
        record_cost(trial, ArchitectureCost(parameters=10, latency_ms=latency, size_mb=0.1, memory_mb=9.0, runs=9))
    status = "complete" if length == 3 else "running"
    report = EpochReport(trial="t", epoch=length, score=score, status=status, parameters=10)
    record_report(trial, 0, report)
    if status == "complete":
        study.tell(trial, score)
    else:
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)


def test_the_board_holds_full_length_trials_that_none_dominates():
    study = optuna.create_study(direction="maximize")
    ended(study, 0.9, 2.0)
    ended(study, 0.8, 1.0)
    ended(study, 0.7, 1.5)  # worse and slower than trial 1
    ended(study, 0.99, 0.5, length=1)  # stopped early
    ended(study, 0.95, None)  # not measured
    rows = pareto_rows(study)
    assert [(row["trial"], row["score"], row["latency_ms"]) for row in rows] == [(1, 0.8, 1.0), (0, 0.9, 2.0)]
    assert rows[0]["network"].startswith("convnet, width=8")
    latencies = {row["trial"]: row["latency_ms"] for row in rank_trials(study)}
    assert latencies == {0: 2.0, 1: 1.0, 2: 1.5, 3: 0.5, 4: None}
