"""Background work: when it is tried again, what is said, and that nothing ends its thread."""

import errno
import threading
import time

import pytest

from trainables.common.background import Background
from trainables.common.retry import (
    FOR_EVER,
    Change,
    Failures,
    RetryPolicy,
    after_failure,
    after_success,
    wait_after,
)

QUICK = RetryPolicy(first=0.01, most=0.02, patience=0.2)
ERRORS = [OSError(number, name) for number, name in sorted(errno.errorcode.items())]
OTHERS = [ValueError("x"), RuntimeError(""), MemoryError(), SystemExit(3), KeyboardInterrupt(), GeneratorExit()]


def wait_until(true, patience=10.0):
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_waits_grow_up_to_the_most_and_patience_ends_once():
    policy = RetryPolicy(first=1.0, most=5.0, patience=9.0)
    failures, changes, waits, now = Failures(), [], [], 100.0
    for _ in range(6):
        failures, change = after_failure(policy, failures, now)
        waits.append(wait_after(policy, failures))
        changes.append(change)
        now += waits[-1]
    assert waits == [1.0, 2.0, 4.0, 5.0, 5.0, 5.0]
    assert changes == [Change.FAILED, *[Change.NOTHING] * 3, Change.GIVEN_UP, Change.NOTHING]
    assert after_success(failures) == (Failures(), Change.RECOVERED)
    assert after_success(Failures()) == (Failures(), Change.NOTHING)
    assert wait_after(policy, Failures()) == 0.0
    assert wait_after(FOR_EVER, Failures(tries=10_000)) == FOR_EVER.most


@pytest.mark.parametrize("error", [*ERRORS, *OTHERS], ids=lambda e: f"{type(e).__name__}-{getattr(e, 'errno', '')}")
def test_no_error_ends_the_thread_and_each_is_said_once(error, logged):
    done, left = threading.Event(), [3]

    def work():
        if left[0]:
            left[0] -= 1
            raise error
        done.set()

    background = Background("cannot write", work, QUICK)
    background.wake()
    assert done.wait(10.0)
    wait_until(lambda: len(logged) == 2)
    assert logged[0].startswith("warning: cannot write (")
    assert logged[0].endswith("); trying again")
    assert logged[1].startswith("cannot write: that has passed, after ")
    assert background.error is None
    assert background.close(5.0)


def test_an_owner_is_told_once_to_give_up_and_the_work_is_tried_on():
    given_up, tries, broken = [], [0], [True]

    def work():
        tries[0] += 1
        if broken[0]:
            raise OSError(errno.EIO, "broken")

    background = Background("cannot write", work, QUICK, period=0.01)
    background.when_given_up(given_up.append)
    wait_until(lambda: given_up)
    before = tries[0]
    wait_until(lambda: tries[0] > before + 3)
    assert len(given_up) == 1
    assert background.given_up
    broken[0] = False
    wait_until(lambda: not background.given_up)
    assert background.close(5.0)


def test_a_thread_that_is_gone_all_the_same_is_said_and_replaced(monkeypatch, logged):
    done = threading.Event()
    with monkeypatch.context() as patch:
        patch.setattr(Background, "_run", lambda self: None)
        background = Background("cannot write", done.set, QUICK)
        wait_until(lambda: not background._thread.is_alive())
    background.wake()
    assert done.wait(10.0)
    assert logged == ["warning: cannot write (its thread was gone); another one goes on"]
    assert background.close(5.0)
