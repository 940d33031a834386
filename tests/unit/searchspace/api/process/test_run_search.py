"""How a search's process is followed and how it ends; small scripts stand for the search, which takes long."""

import logging
import os
import signal
import sys
import threading
from pathlib import Path

import pytest

import searchspace
from searchspace.api.display.search_display import QuietDisplay
from searchspace.api.process import search_process
from searchspace.api.process.run_search import run_search
from searchspace.api.process.search_request import SearchRequest
from trainables.common.errors import SearchEndedError, UserError

SCRIPT = r"""
import json, os, signal, sys, time
def kind(name):
    return lambda **fields: {"type": name, **fields}
LogMessage, SearchEnded, SearchStarted, TrialPaused = map(
    kind, ("LogMessage", "SearchEnded", "SearchStarted", "TrialPaused")
)
def encode_event(event):
    return json.dumps(event).encode() + b"\n"
def send(*events):
    for event in events:
        os.write(int(os.environ["SEARCHSPACE_EVENTS"]), encode_event(event))
def end(number, _frame):
    send(LogMessage(level=20, message="saving"), SearchEnded(status="interrupted", message=signal.Signals(number).name))
    os._exit(128 + number)
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, end)
send(SearchStarted(name="made", folder=".", log="made.log"))
"""
WAIT = "time.sleep(100)"


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run a script as if it were the search's process."""

    def run_script(code, *callbacks):
        monkeypatch.setattr(search_process, "python_command", lambda _module: [sys.executable, "-c", SCRIPT + code])
        request = SearchRequest([], "made", tmp_path / "made", str(tmp_path / "made"))
        run_search(request, callbacks, QuietDisplay())

    return run_script


def test_events_come_in_order_and_one_in_pieces_is_whole(run):
    heard = []
    run(
        """
send(LogMessage(level=20, message="one"))
line = encode_event(LogMessage(level=30, message="two"))
for part in (line[:10], line[10:]):
    os.write(int(os.environ["SEARCHSPACE_EVENTS"]), part)
    time.sleep(0.1)
send(*(TrialPaused(number=number, epoch=1, score=0.5) for number in range(2000)), SearchEnded(status="complete"))
""",
        heard.append,
    )
    assert [event.type for event in heard[:3]] == ["SearchStarted", "LogMessage", "LogMessage"]
    assert [event.message for event in heard[1:3]] == ["one", "two"]
    assert [event.number for event in heard[3:-1]] == list(range(2000))
    assert heard[-1].status == "complete"


def test_messages_go_to_a_logger_of_the_host(run, caplog):
    with caplog.at_level(logging.INFO, "searchspace.search"):
        run('send(LogMessage(level=30, message="few images"), SearchEnded(status="complete"))')
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [(30, "few images")]


@pytest.mark.parametrize(
    ("kind", "raised"),
    [
        ("UserError", UserError),
        ("NoWinnerError", searchspace.NoWinnerError),
        ("SearchEndedError", SearchEndedError),
        ("LostError", searchspace.LostError),
    ],
)
def test_an_error_of_the_search_is_raised_as_what_it_is(run, kind, raised):
    with pytest.raises(raised) as caught:
        run(f"""send(SearchEnded(status="failed", error="{kind}", message="--data 'x': is empty")); sys.exit(1)""")
    assert type(caught.value) is raised
    assert str(caught.value) == ("data='x': is empty" if kind == "UserError" else "--data 'x': is empty")


def test_a_defect_is_raised_with_its_log_and_its_last_lines(run):
    with pytest.raises(searchspace.SearchFailedError) as caught:
        run("print('working'); 1 / 0")
    assert "ended with exit code 1; nothing was begun (log: made.log)" in str(caught.value)
    assert "ZeroDivisionError: division by zero" in str(caught.value)
    assert caught.value.log == Path("made.log")


def test_a_killed_search_is_a_failure_that_says_so(run):
    with pytest.raises(searchspace.SearchFailedError, match="was killed by SIGKILL; nothing was begun"):
        run("os.kill(os.getpid(), signal.SIGKILL)")


def test_an_interrupt_is_passed_on_and_events_are_heard_until_the_end(run):
    heard = []

    def interrupt(event):
        heard.append(event.type)
        if event.type == "SearchStarted":
            raise KeyboardInterrupt

    with pytest.raises(searchspace.SearchInterrupted) as caught:
        run(WAIT, interrupt)
    assert heard == ["SearchStarted", "LogMessage", "SearchEnded"]
    assert caught.value.name == "made"
    assert "interrupted; nothing was begun" in str(caught.value)


def test_a_callback_can_stop_a_search(run):
    heard = []

    def stop(event):
        heard.append(event.type)
        if event.type == "SearchStarted":
            raise searchspace.StopSearch("enough")

    run(WAIT, stop)
    assert heard == ["SearchStarted", "LogMessage", "SearchEnded"]


def test_an_error_of_a_callback_stops_the_search_and_is_raised(run):
    heard = []

    def fail(_event):
        raise LookupError("of mine")

    with pytest.raises(LookupError, match="of mine") as caught:
        run(WAIT, fail, lambda event: heard.append(event.type))
    assert heard == ["SearchStarted", "LogMessage", "SearchEnded"], "other callbacks are called on"
    assert caught.value.__notes__ == ["this callback's error stopped search 'made'; nothing was begun"]


def test_a_search_that_somebody_else_ends_says_so(run):
    with pytest.raises(SearchEndedError, match="search 'made' was ended by SIGTERM; nothing was begun"):
        run("os.kill(os.getpid(), signal.SIGTERM); " + WAIT)


def test_nothing_is_left_of_searches_in_two_threads(run, monkeypatch):
    descriptors, environment = os.listdir("/proc/self/fd"), dict(os.environ)
    handler = signal.getsignal(signal.SIGINT)
    heard: list[str] = []

    def search():
        run('send(SearchEnded(status="complete"))', lambda event: heard.append(event.type))

    threads = [threading.Thread(target=search) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(heard) == ["SearchEnded", "SearchEnded", "SearchStarted", "SearchStarted"]
    assert os.listdir("/proc/self/fd") == descriptors
    assert dict(os.environ) == environment
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_second_interrupt_is_passed_on_too(run):
    heard = []

    def interrupt(event):
        heard.append(event.type)
        if event.type in {"TrialPaused", "LogMessage"}:
            raise KeyboardInterrupt

    stubborn = """
def note(number, _frame):
    signal.signal(number, lambda number, _frame: os._exit(128 + number))
    send(LogMessage(level=20, message="saving"))
signal.signal(signal.SIGINT, note)
send(TrialPaused(number=0, epoch=1, score=0.5))
"""
    with pytest.raises(searchspace.SearchInterrupted):
        run(stubborn + WAIT, interrupt)
    assert heard == ["SearchStarted", "TrialPaused", "LogMessage"], "it ended at once, without a last event"
