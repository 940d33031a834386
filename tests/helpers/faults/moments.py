"""Moments at which a process is killed: what it changes in files, what it says to a database, or each line of code."""

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.truncate", "os.symlink", "os.link", "fcntl.flock"}
LINES = (
    "searchspace/preparation/begin_study.py",
    "searchspace/study/creation.py",
    "searchspace/spec.py",
    "searchspace/study/journal.py",
    "_file.py",
)
"""Modules whose lines are moments, too: those that write when a search is begun, Optuna's journal among them."""
START, AT = "SEARCHSPACE_TEST_START", "SEARCHSPACE_TEST_AT"
"""Environment variables: a file, at whose first change counting starts, and the number of the last moment."""


class Moments:
    """Counts moments of this process, and kills it at one of them."""

    def __init__(self, fatal: int, start: str = "") -> None:
        """At the moment `fatal`, from the first change of a file on whose path ends with `start`."""
        self._left, self._start = fatal, start

    def pass_one(self) -> None:
        """One more."""
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """An audit event: counts if it changes a file."""
        opened = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if opened or event in CHANGES:
            if self._start and not str(arguments[0]).endswith(self._start):
                return
            self._start = ""
            self.pass_one()

    def trace(self, frame: FrameType, event: str, _argument: Any) -> Callable[..., Any] | None:
        """A trace function: counts lines of some modules."""
        if not frame.f_code.co_filename.endswith(LINES):
            return None
        if event == "line":
            self.pass_one()
        return self.trace


def watch(fatal: int, lines: bool) -> None:
    """Kill this process at the moment of this number; statements to a database are moments, too."""
    from sqlalchemy import Engine, event

    moments = Moments(fatal)
    sys.addaudithook(moments.hear)
    for name in ("before_cursor_execute", "commit"):
        event.listen(Engine, name, lambda *_arguments: moments.pass_one())
    if lines:
        threading.settrace(moments.trace)
        sys.settrace(moments.trace)


def watch_command() -> None:
    """Kill this process as its environment says, if it runs a search."""
    if AT in os.environ and "searchspace.run" in sys.orig_argv:
        sys.addaudithook(Moments(int(os.environ[AT]), os.environ[START]).hear)
