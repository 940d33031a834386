"""Who is hopeless by the search: who is further behind than chance explains, or costs more than its chance."""

import pytest

from searchspace.finals.race.prospects import Prospect, chance, find_hopeless


def prospect(number, score, seconds=1.0, fixed=False):
    return Prospect(number, score, score if score is not None else 0.8, seconds, fixed)


BEST = prospect(1, 0.88)


@pytest.mark.parametrize(("score", "is_hopeless"), [(0.78, True), (0.80, True), (0.84, False), (0.88, False)])
def test_who_is_ten_points_behind_on_375_images_is_hopeless_and_who_is_four_is_not(score, is_hopeless):
    found = find_hopeless("accuracy", [BEST, prospect(2, score, seconds=20)], images=375, tried=24)
    assert found == ({2: pytest.approx(0.88 - score)} if is_hopeless else {})


def test_what_costs_more_needs_more_of_a_chance():
    cheap, dear = prospect(2, 0.81), prospect(3, 0.81, seconds=60)
    assert set(find_hopeless("accuracy", [BEST, cheap, dear], images=375, tried=24)) == {3}


def test_few_images_make_nobody_hopeless_and_more_trials_give_the_best_more_luck():
    other = prospect(2, 0.80)
    assert find_hopeless("accuracy", [BEST, other], images=30, tried=24) == {}
    assert chance("accuracy", BEST, other, 375, tried=64) > chance("accuracy", BEST, other, 375, tried=2)


def test_nothing_is_said_of_scores_that_are_no_shares_of_images_or_of_trials_stopped_early():
    assert find_hopeless("log_loss", [BEST, prospect(2, 0.1)], images=375, tried=24) == {}
    assert find_hopeless("accuracy", [BEST, prospect(2, None)], images=375, tried=24) == {}
    assert find_hopeless("accuracy", [BEST, prospect(2, 0.1)], images=0, tried=24) == {}
