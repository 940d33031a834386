"""Two objectives at once: which trials are not dominated, in what order the others follow, and the board of the best.

A point is (score, latency): the score is to be high, the latency low. One point dominates another if it is no worse in
either and not the same.
"""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from optuna.trial import TrialState

from searchspace.reporting.tables.table import round_digits
from searchspace.stopping.rung import Order
from searchspace.study.study import StudyReader
from searchspace.study.trial_attributes import read_config, read_curve, read_trial_cost
from trainables.export.benchmark.architecture_cost import describe_network

Point = tuple[float, float]


def pareto_ranks(points: Sequence[Point]) -> list[int]:
    """The non-dominated front that each point is on: 0 for those that none dominates, 1 for those only these do, ...

    What MO-ASHA (arXiv:2106.12639) compares at a rung; O(n log n) for two objectives (Jensen, IEEE TEC 2003).
    """
    found: dict[Point, int] = {}
    least: list[float] = []  # of each front so far; a later one's is higher
    for point in sorted(set(points), key=lambda p: (-p[0], p[1])):
        # All points before this one have a higher score, or the same and less latency.
        front_of_it = bisect_right(least, point[1])
        least[front_of_it : front_of_it + 1] = [point[1]]
        found[point] = front_of_it
    return [found[point] for point in points]


def pareto_front(points: Sequence[Point]) -> list[int]:
    """Indices of the points that none dominates, in their order; equal ones are all among them."""
    return [index for index, rank in enumerate(pareto_ranks(points)) if rank == 0]


def pareto_order(points: Sequence[Point]) -> list[int]:
    """Indices from the best down: front by front, and within one spread out, the highest score first.

    After that comes always the point farthest from those before it, each objective scaled to its range in the front:
    the EpsNet of MO-ASHA (arXiv:2106.12639), so that a shortened list still covers the front.
    """
    placed = pareto_ranks(points)
    fronts = [[i for i, rank in enumerate(placed) if rank == wanted] for wanted in range(max(placed, default=-1) + 1)]
    return [index for members in fronts for index in _spread(points, members)]


def _spread(points: Sequence[Point], members: Sequence[int]) -> list[int]:
    spans = [max(values) - min(values) or 1.0 for values in zip(*(points[i] for i in members), strict=True)]

    def distance(one: int, other: int) -> float:
        return sum(((a - b) / span) ** 2 for a, b, span in zip(points[one], points[other], spans, strict=True))

    left = sorted(members, key=lambda i: (-points[i][0], points[i][1], i))
    chosen = [left.pop(0)]
    nearest = {i: distance(i, chosen[0]) for i in left}
    while left:
        chosen.append(max(left, key=lambda i: nearest[i]))
        left.remove(chosen[-1])
        nearest = {i: min(nearest[i], distance(i, chosen[-1])) for i in left}
    return chosen


def by_front(latencies: Mapping[int, float]) -> Order:
    """ASHA's order at a rung where scores and latencies count, of which those are given by trial; who failed is last.

    It looks `latencies` up when it is asked, so they may be filled as trials are.
    """

    def ordered(values: Mapping[int, float]) -> list[int]:
        able = [trial for trial in values if values[trial] > -math.inf]
        found = pareto_order([(values[trial], latencies[trial]) for trial in able])
        return [able[i] for i in found] + [trial for trial in values if trial not in able]

    return ordered


def pareto_rows(study: StudyReader) -> list[Mapping[str, Any]]:
    """One row a full-length trial that none dominates by validation score and measured latency, the quickest first."""
    trials = [t for t in study.get_trials(deepcopy=False) if t.state == TrialState.COMPLETE]
    able = [
        (t, read_curve(t)[-1].score, cost)
        for t in trials
        if (cost := read_trial_cost(t)) and cost.latency_ms is not None
    ]
    chosen = [able[i] for i in pareto_front([(score, cost.latency_ms or 0.0) for _, score, cost in able])]
    return [
        {
            "trial": trial.number, "score": round(score, 4), "latency_ms": round_digits(cost.latency_ms),
            "parameters": cost.parameters, "size_mb": round_digits(cost.size_mb),
            "network": describe_network(read_config(trial)),
        }
        for trial, score, cost in sorted(chosen, key=lambda found: (found[2].latency_ms or 0.0, found[0].number))
    ]  # fmt: skip
