"""Events on their way into a pipe: a slow reader holds nothing up, and a reader that is gone is noticed."""

import os
import subprocess
import sys
import threading

import pytest

from searchspace.api.process.search_events import (
    EpochEnded,
    LogMessage,
    TrialPaused,
    WorkProgress,
    decode_event,
)
from searchspace.progress.event_writer import MAX_WAITING, EventWriter


def epoch(number):
    return EpochEnded(
        number=number, epoch=1, max_epochs=2, score=0.5, accuracy=0.5, val_loss=float("nan"), train_loss=1.0,
        epoch_seconds=1.0, images_per_second=1.0, slot=None,
    )  # fmt: skip


@pytest.fixture
def pipe():
    ends = list(os.pipe())
    yield ends
    for end in ends:
        os.close(end)


def read_until(descriptor, last):
    """The events up to the one for which `last` is true."""
    events, begun = [], b""
    while not events or not last(events[-1]):
        *lines, begun = (begun + os.read(descriptor, 1 << 16)).split(b"\n")
        events += map(decode_event, lines)
    return events


def is_end(event):
    return isinstance(event, LogMessage) and event.message == "end"


def test_a_slow_reader_holds_nothing_up_and_loses_epochs_alone(pipe):
    writer = EventWriter(pipe[1], lambda: None)
    for number in range(2 * MAX_WAITING):
        writer.send(epoch(number))
        if not number % 1000:
            writer.send(TrialPaused(number=number, epoch=1, score=0.5))
    writer.send(LogMessage(level=20, message="end"))
    events = read_until(pipe[0], is_end)
    paused = [event.number for event in events if isinstance(event, TrialPaused)]
    assert paused == list(range(0, 2 * MAX_WAITING, 1000))
    epochs = [event.number for event in events if isinstance(event, EpochEnded)]
    assert MAX_WAITING <= len(epochs) < 2 * MAX_WAITING
    assert epochs == sorted(epochs)


def test_progress_that_waits_is_replaced_by_newer_progress_of_the_same_work(pipe):
    writer = EventWriter(pipe[1], lambda: None)
    for number in range(2000):  # more than the pipe holds
        writer.send(TrialPaused(number=number, epoch=1, score=0.5))
    for done in range(100):
        writer.send(WorkProgress(what="images", done=done, total=100))
    writer.send(LogMessage(level=20, message="end"))
    events = read_until(pipe[0], is_end)
    assert [event.done for event in events if isinstance(event, WorkProgress)] == [99]


def test_what_waits_is_written_before_the_end(pipe):
    writer = EventWriter(pipe[1], lambda: None)
    read = []
    reader = threading.Thread(target=lambda: read.extend(read_until(pipe[0], is_end)))
    for number in range(3000):
        writer.send(TrialPaused(number=number, epoch=1, score=0.5))
    writer.send(LogMessage(level=20, message="end"))
    reader.start()
    writer.flush()
    reader.join()
    assert len(read) == 3001


def test_progress_is_asked_for_from_time_to_time(pipe):
    writer = EventWriter(pipe[1], lambda: None)
    writer.read_progress = lambda: LogMessage(level=20, message="end")
    assert read_until(pipe[0], is_end)


def test_a_reader_that_is_gone_is_noticed_once_without_any_event():
    reading, writing = os.pipe()
    gone = threading.Semaphore(0)
    writer = EventWriter(writing, gone.release)
    os.close(reading)
    assert gone.acquire(timeout=30)
    writer.send(epoch(1))
    writer.flush()
    assert not gone.acquire(blocking=False)
    os.close(writing)


def test_a_restarted_command_writes_into_the_same_pipe(pipe):
    """As `restart_search` does it: the process replaces itself, and its environment and descriptors stay."""
    code = """
import os, sys
from searchspace.api.process.search_events import LogMessage
from searchspace.progress.event_reporter import EventReporter
from searchspace.progress.live_screen import open_reporter
with open_reporter() as reporter:
    assert type(reporter) is EventReporter
    reporter.publish(LogMessage(level=20, message=sys.argv[1]))
if sys.argv[1] == "begin":
    os.execv(sys.executable, [sys.executable, "-c", os.environ["CODE"], "end"])
"""
    environment = os.environ | {"SEARCHSPACE_EVENTS": str(pipe[1]), "CODE": code}
    subprocess.run([sys.executable, "-c", code, "begin"], env=environment, pass_fds=[pipe[1]], check=True)
    messages = [event.message for event in read_until(pipe[0], is_end) if isinstance(event, LogMessage)]
    assert messages == ["begin", "end"]
