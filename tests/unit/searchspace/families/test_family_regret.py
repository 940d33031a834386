"""What choosing families by what they earn gains and costs, on simulated searches."""

from dataclasses import replace
from statistics import fmean

import pytest

from tests.helpers.family_cases import CASES, simulate_case, small_space

SEEDS = range(2)
ONE_IMAGE = 1 / 500


@pytest.mark.parametrize(
    ("name", "seconds", "least"), [("photographs", 400, 0.0), ("digits", 75, -ONE_IMAGE), ("late", 1500, -0.01)]
)
def test_a_search_by_earning_ends_no_worse_than_one_that_ignores_it(tmp_path, name, seconds, least):
    """Where networks from scratch cannot win, where they win, and where they rise late."""
    case = replace(CASES[name], times=(seconds,))
    ends = {
        way: fmean(simulate_case(case, tmp_path, seed, way, small_space)[0][-1] for seed in SEEDS)
        for way in (True, False)
    }
    assert ends[True] - ends[False] >= least


def test_a_slow_family_that_cannot_win_gets_little_and_never_nothing(tmp_path):
    case = CASES["photographs"]
    spent = simulate_case(case, tmp_path, 0, True, small_space)[1]
    assert 0 < spent["scratch"] < 0.2 * 2 * case.times[-1]
