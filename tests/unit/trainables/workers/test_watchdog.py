"""The watchdog over the training thread: real threads that hang, work slowly, rest, and a process that was stopped."""

import pytest

from trainables.workers.watchdog import (
    LEAST_LIMIT_S,
    LIMIT_FACTOR,
    SETUP_LIMIT_S,
    parse_least_limit,
    step_limit,
)


@pytest.mark.parametrize("longest", [0.001, 0.1, 1.0, 6.0, 60.0, 600.0])
def test_the_limit_follows_the_longest_step_and_never_falls_below_the_floor(longest):
    assert step_limit(longest) == max(LEAST_LIMIT_S, LIMIT_FACTOR * longest)
    assert step_limit(longest, 1.0) == max(1.0, LIMIT_FACTOR * longest)


def test_before_the_second_step_only_set_up_is_bounded():
    assert step_limit(0.0) == SETUP_LIMIT_S
    assert step_limit(0.0, 2 * SETUP_LIMIT_S) == 2 * SETUP_LIMIT_S


@pytest.mark.parametrize("text", [None, "", "soon", "-1", "0", "inf", "nan"])
def test_a_floor_that_is_none_is_the_default(text):
    assert parse_least_limit(text) == LEAST_LIMIT_S
    assert parse_least_limit("7.5") == 7.5
