"""Output that goes away under a command: a reader that leaves, a terminal that closes, a disk that is full."""

import fcntl
import logging
import os
import pty
import re
import resource
import signal
import subprocess
import sys
import termios
import threading
import time

import pytest

from searchspace.cli.console_log import logs_shown_by
from searchspace.cli.interruption import EXPORT_TIMEOUT_S, Interrupted, InterruptibleReporter, Interruption
from tests.helpers.faults.invariant import MARK, Snapshot, check
from tests.helpers.made_search import make_search
from tests.helpers.repository import ROOT

CHILD = """
import contextlib, logging, os, sys, time
from pathlib import Path
from searchspace.cli.command import run_command
from searchspace.cli.interruption import Interruption
from searchspace.progress.live_screen import open_reporter

logger = logging.getLogger("searchspace")

def main(log: str, early: int = 3, late: int = 30, pause: float = 0.01):
    reporter = open_reporter()
    with reporter, Interruption(reporter, lambda: "resume with: RESUME") as interruption:
        for number in range(early):
            logger.info(f"early {number}")
            time.sleep(pause)
        reporter.redirect_output(Path(log))
        for number in range(late):
            logger.info(f"late {number}")
            reporter.progress("work", number, late)
            with contextlib.suppress(OSError):
                os.write(2, b"a library\\n")
            print("more of it", file=sys.stderr)
            time.sleep(pause)
            interruption.check()
    print("the board")
    print("the last line")

run_command(main, outlives_output=True)
"""
"""A search, as far as its output goes."""


def start(log, *options, **how):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
    command = [sys.executable, "-c", CHILD, str(log), *map(str, options)]
    return subprocess.Popen(command, env=environment, **how)


def said(log) -> list[str]:
    """Lines of a log that are not a library's."""
    lines = log.read_text().splitlines()
    return [re.sub(r"^\[ *[\d.]+ s\] ", "", line) for line in lines if line not in {"a library", "more of it"}]


@pytest.mark.parametrize("read", [1, 10])
def test_a_reader_that_leaves_ends_no_search(tmp_path, read):
    """`searchspace run | head -1`: all of it is in the log, also what the pipe still held."""
    child = start(tmp_path / "log", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for _ in range(read):
        child.stdout.readline()
    child.stdout.close()
    assert (child.wait(60), child.stderr.read()) == (0, b"")
    lines = said(tmp_path / "log")
    for expected in (
        *(f"late {n}" for n in range(30)),
        *(f"early {n}" for n in range(3)),
        "the board",
        "the last line",
    ):
        assert lines.count(expected) == 1, expected
    assert len([line for line in lines if line.startswith("standard output is gone (Broken pipe): what follows")]) == 1


def test_a_reader_that_was_never_there_and_streams_that_are_closed(tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    gone = start(tmp_path / "gone", stdout=writing, stderr=writing)
    os.close(writing)
    closed = start(tmp_path / "closed", preexec_fn=lambda: [os.close(number) for number in (0, 1, 2)])
    full = start(tmp_path / "full", stdout=os.open("/dev/full", os.O_WRONLY), stderr=subprocess.PIPE)
    assert [child.wait(60) for child in (gone, closed, full)] == [0, 0, 0]
    assert full.stderr.read() == b""
    for name, why in (("gone", "Broken pipe"), ("closed", "it was closed"), ("full", "No space left on device")):
        lines = said(tmp_path / name)
        assert {"early 0", "late 29", "the board", "the last line"} <= set(lines), name
        assert f"standard output is gone ({why}): what follows goes to the search's log" in lines


def test_a_full_disk_under_the_log_is_a_warning(tmp_path):
    """A limit on a file's size; what fails is the same call."""
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (40, 40))  # noqa: E731
    child = start(tmp_path / "log", stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=limit)
    out, err = child.communicate(timeout=60)
    assert (child.returncode, err) == (0, b"")
    lines = out.decode().splitlines()
    assert lines[-1] == "the last line"
    (warning,) = [line for line in lines if "warning" in line]
    assert warning.endswith("the search's log cannot be written (File too large); the search continues without it")
    assert sum("late" in line for line in lines) == 30


def test_a_log_that_cannot_be_made_is_a_warning(tmp_path):
    (tmp_path / "log").mkdir()
    done = start(tmp_path / "log", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    out = done.communicate(timeout=60)[0].decode()
    assert done.returncode == 0
    assert out.count("warning: the search's log cannot be written (damaged: ") == 1
    assert "late 29" in out


def on_a_terminal(*command, **how):
    """A process that leads the session of a terminal of its own, and the terminal's other end."""
    mine, its = pty.openpty()

    def take():
        os.setsid()
        fcntl.ioctl(its, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(command, stdin=its, stdout=its, stderr=its, preexec_fn=take, **how)  # noqa: PLW1509  # no thread holds a lock that it needs
    os.close(its)
    return process, mine


def read_until(terminal, words: bytes, patience=240.0) -> bytes:
    found, deadline = b"", time.monotonic() + patience
    while words not in found:
        assert time.monotonic() < deadline, found
        try:
            found += os.read(terminal, 65536)
        except OSError as error:
            raise AssertionError(f"it ended before it said {words!r}: {found.decode(errors='replace')}") from error
    return found


@pytest.mark.parametrize("term", ["xterm-256color", "dumb"])
def test_a_terminal_that_closes_ends_a_search_in_order(tmp_path, term):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TERM": term}
    command = [sys.executable, "-c", CHILD, str(tmp_path / "log"), "--late", "3000"]
    child, terminal = on_a_terminal(*command, env=environment)
    read_until(terminal, b"late 5")
    os.close(terminal)
    assert child.wait(60) == 128 + signal.SIGHUP
    log = (tmp_path / "log").read_text()
    assert "Traceback" not in log
    assert log.count("standard output is gone (Input/output error): what follows is in log") == 1
    assert log.count("SIGHUP: every trial finishes its epoch and is saved") == 1
    assert "\x1b" not in log, "what redraws a screen is for a screen"


class Locked:
    """Tells while it holds a lock, as a stream does."""

    def __init__(self) -> None:
        self.lock, self.told, self.descriptor = threading.Lock(), [], 1

    def show(self, level, message):
        with self.lock:
            self.told.append(message)

    def progress(self, what, done, total):
        self.show(logging.INFO, what)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_handler_takes_no_lock_and_says_nothing_itself(number):
    """A signal within `show`: a handler that speaks would wait for itself for ever."""
    speaker = Locked()
    with logs_shown_by(speaker.show), Interruption(speaker, lambda: "again") as interruption:
        with speaker.lock:
            signal.raise_signal(number)
            assert interruption.is_requested()
            assert speaker.told == []
        deadline = time.monotonic() + 10
        while not speaker.told and time.monotonic() < deadline:
            time.sleep(0.01)
        if number == signal.SIGHUP:
            signal.raise_signal(number)  # a terminal's second one is no second wish
        with pytest.raises(Interrupted) as stopped:
            interruption.check()
        with pytest.raises(Interrupted):
            InterruptibleReporter(speaker, interruption.check).progress("export", 1, 3)
    assert stopped.value.code == 128 + number
    assert speaker.told == [f"{signal.Signals(number).name}: every trial finishes its epoch and is saved; "
                            "again to stop at once"]  # fmt: skip


def test_what_was_heard_is_said_even_if_all_ends_at_once():
    speaker = Locked()
    with logs_shown_by(speaker.show), Interruption(speaker, lambda: "again"):
        signal.raise_signal(signal.SIGTERM)
    assert len(speaker.told) == 1


SECOND = """
import os, signal, sys, threading, time
from searchspace.cli.console_log import logs_shown_by
from searchspace.cli.interruption import Interruption

class Speaker:
    descriptor = 1
    def show(self, level, message):
        os.write(1, message.encode() + b"\\n")
    def progress(self, *_):
        pass

with logs_shown_by(Speaker().show), Interruption(Speaker(), lambda: "resume with: RESUME") as interruption:
    os.write(2, b"ready\\n")
    if sys.argv[1] == "export":
        with interruption.exit_within(0.5):
            time.sleep(60)
    while True:
        print("x" * 1000, flush=sys.argv[1] == "print")
"""


def second(kind, **how):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    child = subprocess.Popen([sys.executable, "-c", SECOND, kind], env=environment, stderr=subprocess.PIPE, **how)
    child.stderr.readline()
    return child


def end_by_signals(child, number):
    """Send a signal until it ends: where a process has no core, two that come together count as one."""
    for _ in range(10):
        child.send_signal(number)
        time.sleep(0.2)
        if child.poll() is not None:
            return


def test_a_second_signal_ends_it_at_once_whatever_it_prints():
    """Also while it waits for a pipe that nobody reads."""
    stuck = second("print", stdout=subprocess.PIPE)
    time.sleep(0.5)
    end_by_signals(stuck, signal.SIGTERM)
    assert stuck.wait(10) == 143
    assert stuck.stderr.read() == b""
    busy = second("print", stdout=subprocess.DEVNULL)
    end_by_signals(busy, signal.SIGINT)
    assert busy.wait(10) == 130
    assert busy.stderr.read() == b""


def test_work_that_can_be_repeated_ends_within_a_bounded_time():
    child = second("export", stdout=subprocess.PIPE)
    child.send_signal(signal.SIGTERM)
    assert child.wait(10) == 143
    assert child.stdout.read().decode().splitlines()[-1] == "stopped at once; resume with: RESUME"


def test_a_search_under_nohup_outlives_its_terminal(tmp_path):
    ignore = lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)  # noqa: E731
    child = start(tmp_path / "log", stdout=subprocess.PIPE, preexec_fn=ignore)
    child.stdout.readline()
    child.send_signal(signal.SIGHUP)
    out = child.communicate(timeout=60)[0]
    assert (child.returncode, out.decode().splitlines()[-1]) == (0, "the last line")


READING = [
    ["leaderboard", "made"], ["leaderboard", "made", "--format", "csv"], ["leaderboard", "made", "--format", "html"],
    ["leaderboard", "."], ["replay", "made"], ["leaderboard", "--help"], ["predict", "--help"],
]  # fmt: skip


@pytest.fixture(scope="module")
def results(digits, tmp_path_factory):
    return make_search(tmp_path_factory.mktemp("results"), digits).parent


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_a_reading_command_ends_quietly_when_its_reader_leaves(results, words):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", f"searchspace.{words[0]}", *words[1:]]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, cwd=results, env=environment, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")
    if words[-1] == "csv":
        with open("/dev/full", "w") as full:
            done = subprocess.run(
                command, stdout=full, stderr=subprocess.PIPE, cwd=results, env=environment, check=False
            )
        assert (done.returncode, done.stderr) == (2, b"error: standard output: No space left on device\n")


SMALL = ("--models", "convnet", "--max-epochs", "6", "--final-seeds", "1", "--finalists", "1", "--max-concurrent", "2")


@pytest.mark.slow
def test_a_search_whose_terminal_closes_is_saved_and_goes_on(driver):
    """The kernel hangs up on all that the terminal runs, so also on Ray's processes."""
    environment = os.environ | {MARK: driver.mark, "TERM": "dumb", "PYTHONPATH": driver.here}
    command = driver.command(["--name", driver.name, "--trials", "12", *SMALL])
    search, terminal = on_a_terminal(*command, env=environment, cwd=driver.root)
    read_until(terminal, b"complete at epoch")
    os.close(terminal)
    assert search.wait(90) == 129, (driver.folder / "search.log").read_text()
    log = (driver.folder / "search.log").read_text()
    assert "interrupted; resume with: searchspace run --resume s" in log
    before = Snapshot.take(driver.folder)
    assert before.trials
    driver.resume()
    assert driver.ends() == 0, driver.output
    check(driver.folder, 12, before)


@pytest.mark.slow
def test_a_search_goes_on_to_its_end_when_its_reader_leaves(driver):
    environment = os.environ | {MARK: driver.mark, "PYTHONPATH": driver.here}
    command = driver.command(["--name", driver.name, "--trials", "4", *SMALL])
    search = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, cwd=driver.root)
    search.stdout.readline()
    search.stdout.close()
    assert (search.wait(240), search.stderr.read()) == (0, b"")
    log = (driver.folder / "search.log").read_text()
    for words in (
        "4/4  trial",
        "the test split is opened, once",
        "shipped in results/s/winner",
        "model card: results/s",
    ):
        assert words in log
    check(driver.folder, 4)


@pytest.mark.slow
def test_a_signal_while_exporting_is_heeded_soon_and_the_export_is_repeated(driver):
    driver.start("--trials", "4", *SMALL)
    driver.wait_for("exporting the winner")
    begun = time.monotonic()
    driver.signal(signal.SIGTERM)
    assert driver.ends(patience=EXPORT_TIMEOUT_S + 15) == 143, time.monotonic() - begun
    assert "--resume s" in driver.output
    driver.resume()
    assert driver.ends() == 0, driver.output
    check(driver.folder, 4)
    assert (driver.folder / "winner" / "artefacts.json").is_file()
