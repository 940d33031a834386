"""Whose fault an error is: in a simulated world of bad slots and bad trials, decisions must find the guilty."""

import random
from collections import defaultdict

import pytest

from trainables.workers.slot_errors import (
    MOST_GANGS,
    MOST_GANGS_BY_KIND,
    RETIRE_AFTER,
    RETIRE_AFTER_TRIALS,
    TRIAL_KINDS,
    Action,
    ErrorKind,
    Fault,
    SlotError,
    decide_retry,
    describe_failure,
    describe_retirement,
)

BLAMED = [kind for kind in ErrorKind if kind not in TRIAL_KINDS | {ErrorKind.ASSERT}]


def error(trial: str, slot: int, gang: int, kind: ErrorKind = ErrorKind.DEVICE, place: str = "") -> SlotError:
    place = place or f"node, GPU {slot}"
    return SlotError(
        trial=trial, slot=slot, gang=gang, place=place, fault=Fault(kind=kind, message=kind.name, place=place)
    )


@pytest.mark.parametrize("kind", sorted(TRIAL_KINDS))
@pytest.mark.parametrize("others", [0, 3])
def test_a_trials_own_error_fails_it_at_once_and_never_retires_a_slot(kind, others):
    many = [error(f"t{i}", 0, i, kind) for i in range(10)]
    decision = decide_retry(many[-1:], many, others)
    assert (decision.action, decision.retire) == (Action.FAIL, False)


@pytest.mark.parametrize("kind", [kind for kind in ErrorKind if kind not in TRIAL_KINDS])
def test_with_one_slot_a_new_gang_is_another_place(kind):
    most = MOST_GANGS_BY_KIND.get(kind, MOST_GANGS)
    history = [error("t", 0, gang, kind) for gang in range(most)]
    for count in range(1, most):
        assert decide_retry(history[:count], history[:count], 0).action == Action.RETRY
    last = decide_retry(history, history, 0)
    assert last.action == Action.FAIL
    assert not last.excuses_slots, "nothing says that it was not the slot"
    assert not last.retire, "one trial alone retires no slot"


@pytest.mark.parametrize("kind", [kind for kind in ErrorKind if kind not in TRIAL_KINDS])
def test_with_other_slots_a_trial_fails_only_after_it_was_in_two_of_them(kind):
    history = [error("t", 0, gang, kind) for gang in range(5)]
    decision = decide_retry(history, history, 2)
    assert decision.action == Action.RETRY
    assert decision.avoid == {0}
    elsewhere = [*history[: MOST_GANGS - 1], error("t", 1, 0, kind)]
    assert decide_retry(elsewhere, elsewhere[-1:], 2).action == Action.FAIL
    assert decide_retry(elsewhere, elsewhere[-1:], 2).excuses_slots


@pytest.mark.parametrize("kind", BLAMED)
def test_a_slot_is_retired_by_errors_of_different_trials_at_one_place(kind):
    history = [error("a", 0, 0, kind), error("a", 0, 1, kind), error("b", 0, 2, kind)]
    assert decide_retry(history[-1:], history, 1).retire
    assert not decide_retry(history[-1:], history[1:], 1).retire, f"fewer than {RETIRE_AFTER}"
    moved = [*history[:-1], error("b", 0, 2, kind, place="another node, GPU 0")]
    assert not decide_retry(moved[-1:], moved, 1).retire, "it has moved since"
    assert "slot 0 (node, GPU 0) is retired after 3 errors" in describe_retirement(history)


def test_assertions_of_a_device_are_the_trials_and_never_retire_a_slot():
    history = [error(f"t{i}", 0, i, ErrorKind.ASSERT) for i in range(20)]
    assert not decide_retry(history[-1:], history, 3).retire


def test_the_reason_of_a_failed_trial_names_its_error_and_where_it_was():
    history = [error("t", 0, 0), error("t", 0, 1), error("t", 3, 0)]
    assert describe_failure(history) == "DEVICE (device error, on 3 gangs, slots 0, 3)"
    dead = [error("t", 0, gang, ErrorKind.DEATH) for gang in range(3)]
    assert describe_failure(dead) == "its workers died 3 times"


class World:
    """Slots and trials of which some are bad; trials are tried one after another, as the decisions say."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.kind = self.rng.choice([kind for kind in ErrorKind if kind not in TRIAL_KINDS | {ErrorKind.ASSERT}])
        count = self.rng.randint(
            2, 6
        )  # of which two are good: a lone slot and a bad trial cannot be told from each other
        self.bad_slots = set(self.rng.sample(range(count), self.rng.randint(0, count - 2)))
        self.bad_trials = {f"t{i}" for i in range(30) if self.rng.random() < 0.1}
        self.alive, self.gangs = set(range(count)), defaultdict(int)
        self.good = self.alive - self.bad_slots
        self.errors = defaultdict(list)
        self.failed, self.done = set(), set()

    def choose(self, avoid: frozenset[int]) -> int:
        return self.rng.choice(sorted(self.alive - avoid) or sorted(self.alive))

    def train(self, trial: str) -> None:
        history, avoid = [], frozenset()
        while self.alive:
            slot = self.choose(avoid)
            if slot not in self.bad_slots and trial not in self.bad_trials:
                self.errors[slot].clear()
                self.done.add(trial)
                return
            found = error(trial, slot, self.gangs[slot], self.kind)
            self.gangs[slot] += 1
            history.append(found)
            self.errors[slot].append(found)
            decision = decide_retry(history, self.errors[slot], len(self.alive) - 1)
            assert len(history) < 40, "it ends"
            if decision.retire:
                self.alive.discard(slot)
            if decision.excuses_slots:
                for kept in self.errors.values():
                    kept[:] = [one.as_excused() if one.trial == trial else one for one in kept]
            if decision.action == Action.FAIL:
                self.failed.add(trial)
                return
            avoid = decision.avoid


@pytest.mark.parametrize("seed", range(200))
def test_bad_slots_are_retired_bad_trials_fail_and_the_others_come_through(seed):
    world = World(seed)
    for number in range(30):
        world.train(f"t{number}")
    assert world.done.isdisjoint(world.bad_trials)
    assert world.done | world.failed == {f"t{i}" for i in range(30)}
    assert world.alive >= world.good, "no good slot is retired"
    wronged = world.failed - world.bad_trials
    # A trial that meets two bad slots before these are known is taken for bad; that is bounded by how many there are.
    assert len(wronged) <= len(world.bad_slots) * RETIRE_AFTER_TRIALS / 2
    if len(world.bad_slots) <= 1:
        assert not wronged
