"""The decisions of a race, as data: who is trained next, who is dropped, and when it is over."""

import pytest

from searchspace.finals.race.next_trainings import Entrant, RaceStanding, is_needed, next_entrants


def entrant(number, scored=0, running=0, failed=0, most=3, seconds=1.0):
    return Entrant(number, most, seconds, scored, failed, running, is_deterministic=most == 1)


def standing(leader, behind=(), likely=()):
    return RaceStanding(leader, frozenset(behind), frozenset(likely))


def test_all_are_trained_once_the_longest_first():
    field = [entrant(0, seconds=5), entrant(1, seconds=9), entrant(2, seconds=1, most=1)]
    assert next_entrants(field, RaceStanding()) == [1, 0, 2]


def test_within_a_budget_the_closed_form_comes_first_and_then_the_best_of_the_search():
    field = [entrant(0, seconds=5), entrant(1, seconds=9), entrant(2, seconds=1, most=1)]
    assert next_entrants(field, RaceStanding(), seconds_left=100) == [2, 0, 1]
    assert next_entrants(field, RaceStanding(), seconds_left=6) == [2, 0]
    assert next_entrants(field, RaceStanding(), seconds_left=0) == [2], "a second is always spent on a score"
    assert next_entrants([entrant(2, scored=1, most=1), field[0]], standing(2), seconds_left=0) == []


def test_while_first_trainings_run_only_the_leader_goes_on():
    field = [entrant(0, scored=1), entrant(1, scored=1), entrant(2, running=1)]
    assert next_entrants(field, standing(0)) == [0]


def test_the_one_with_the_fewest_trainings_is_next_and_of_equals_the_leader():
    assert next_entrants([entrant(0, scored=1), entrant(1, scored=1)], standing(1)) == [1, 0]
    assert next_entrants([entrant(0, scored=1), entrant(1, scored=2)], standing(1)) == [0, 1]


def test_who_is_behind_gets_no_more_seeds():
    field = [entrant(0, scored=2), entrant(1, scored=2), entrant(2, scored=1)]
    assert next_entrants(field, standing(0, behind=[2])) == [0, 1]


def test_who_is_probably_behind_waits_for_the_leaders_second_training():
    first = [entrant(0, scored=1), entrant(1, scored=1)]
    assert next_entrants(first, standing(0, likely=[1])) == [0]
    assert next_entrants([entrant(0, scored=2), entrant(1, scored=1)], standing(0, likely=[1])) == [1, 0]
    fixed = [entrant(0, scored=1, most=1), entrant(1, scored=1)]
    assert next_entrants(fixed, standing(0, likely=[1])) == [1], "a closed form has no second one"


@pytest.mark.parametrize(("scored", "chosen"), [(1, [0]), (2, [])])
def test_who_is_alone_has_two_trainings_so_that_an_interval_exists(scored, chosen):
    assert next_entrants([entrant(0, scored=scored), entrant(1, scored=1)], standing(0, behind=[1])) == chosen


def test_a_closed_form_alone_has_one():
    assert next_entrants([entrant(0, scored=1, most=1), entrant(1, scored=1)], standing(0, behind=[1])) == []


def test_all_seeds_spent_ends_the_race():
    assert next_entrants([entrant(0, scored=3), entrant(1, scored=2, failed=1)], standing(0)) == []


def test_whose_first_training_failed_has_one_more_try():
    assert next_entrants([entrant(0, failed=1)], RaceStanding()) == [0]
    assert next_entrants([entrant(0, failed=2)], RaceStanding()) == []


def test_a_training_of_who_is_behind_is_needed_no_longer():
    field = [entrant(0, scored=2, running=1), entrant(1, scored=1, running=1)]
    assert is_needed(0, field, standing(0))
    assert is_needed(1, field, standing(0))
    assert not is_needed(1, field, standing(0, behind=[1]))
    assert not is_needed(0, field, standing(0, behind=[1])), "it is alone and has two"
    assert is_needed(2, [*field, entrant(2, running=1)], standing(0)), "of it nothing is known"
