"""Where the slots' time went, in a search of two slots that was written down second by second."""

import pytest

from searchspace.progress.progress_tracker import ProgressTracker
from searchspace.progress.slot_time import LABELS, SlotSeconds, SlotTime
from searchspace.spec import make_spec
from tests.helpers.benchmarks.account import read_account
from trainables.config import EpochReport, failure
from trainables.workers.slot_state import GangInfo


class Clock:
    """A stopwatch that is set by hand."""

    seconds = 0.0


def report(epoch: int, seconds: float, **changes) -> EpochReport:
    return EpochReport(trial="t", epoch=epoch, seconds=seconds, **changes)


def follow(clock: Clock, slots: int, story) -> SlotTime:
    """Tell each event of `story`, as (second, method, arguments), at its time."""
    spent = SlotTime(slots, lambda: clock.seconds)
    for second, method, *arguments in story:
        clock.seconds = second
        getattr(spent, method)(*arguments)
    return spent


def test_every_second_of_every_slot_is_in_one_part():
    clock = Clock()
    story = [
        (0, "on_running", 0, None), (0, "on_running", 1, None), (4, "on_gang_ready", 0), (6, "on_gang_ready", 1),
        # Slot 0: 10 s of set-up, of which 8 features; 1 s of training; a second for the checkpoint.
        (17, "on_running", 0, report(1, 1, wait_seconds=11, setup_seconds=10, shared_seconds=8, save_seconds=1)),
        (17, "on_end", 0), (17, "on_free", 1),
        # Slot 1 trains for 5 s, and its second epoch is cut off after another 5.
        (12, "on_running", 1, report(1, 5, wait_seconds=1)),
        (20, "on_free", 1),
    ]  # fmt: skip
    found = follow(clock, 2, sorted(story, key=lambda event: event[0])).read()
    assert found == SlotSeconds(
        training=6, features=8, setup=2, saving=1, unfinished=8, idle=3, start=10, decisions=pytest.approx(2)
    )
    assert found.whole == 2 * clock.seconds


def test_a_slot_without_a_trial_idles_from_when_it_is_warm_and_until_there_is_one():
    clock = Clock()
    story = [
        (0, "on_free", 1), (2, "on_gang_ready", 0), (4, "on_gang_ready", 1), (7, "on_free", 0), (9, "on_free", 2),
    ]  # fmt: skip
    spent = follow(clock, 2, story)
    clock.seconds = 10
    assert spent.read().idle == (7 - 4) + 2 * (10 - 9), "before the second gang was warm, the slot was starting"


def test_what_failed_or_was_cut_off_came_to_nothing():
    clock = Clock()
    story = [
        (1, "on_gang_ready", 0), (1, "on_running", 0, None), (4, "on_running", 0, report(1, 3)), (9, "on_end", 0),
        (9, "on_running", 1, None),
    ]  # fmt: skip
    spent = follow(clock, 1, story)
    clock.seconds = 11
    found = spent.read()
    assert (found.training, found.unfinished, found.start, found.decisions) == (3, 5 + 2, 1, 0)


def test_shares_are_named_in_order_and_sum_to_a_hundred():
    found = SlotSeconds(training=50, features=20, setup=10, decisions=0.1, idle=9.9, start=10)
    assert found.describe() == "training 50 % · features 20 % · set-up 10 % · decisions 0 % · idle 10 % · start 10 %"
    assert sum(getattr(found, name) for name in LABELS) == found.whole


def test_a_benchmark_reads_the_line_that_a_search_prints():
    clock = Clock()
    tracker = ProgressTracker(make_spec(name="s"), 1, clock)
    clock.seconds = 4
    tracker.on_gang_ready(0, GangInfo(device="cpu", precision="bf16", threads=1))
    for event, second, told in [
        ("start", 4, None), ("epoch", 8, report(1, 3.0)), ("failed", 10, failure("t", "diverged", 1)),
    ]:  # fmt: skip
        clock.seconds = second
        tracker(event, 0, told)
    found = read_account(tracker.describe_time())
    assert found["shares"] == {"training": 0.3, "unfinished": 0.2, "decisions": 0.1, "start": 0.4}
    assert (found["seconds"], found["epochs"], found["training_share"]) == (10.0, 1, 0.3)
    assert found["training_share_when_warm"] == 0.5
