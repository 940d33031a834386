"""The commands that read a results folder, run in this process as a shell would run them."""

import io
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib import import_module

from searchspace.cli.command import run_command

READING: tuple[tuple[str, ...], ...] = (
    ("leaderboard",), ("leaderboard", "--format", "csv"), ("leaderboard", "--compare", "0", "1"), ("report",),
    ("replay",), ("run", "--trials", "2", "--warm-start"),
)  # fmt: skip
"""Command lines that end where they read the study of the folder that comes last."""
PATIENCE = 20
"""Seconds after which a command hangs."""


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    """Its exit code."""
    output: str
    """What it printed."""
    error: str
    """What it printed on standard error."""

    @property
    def refused_in_one_line(self) -> bool:
        """Whether it said in one line what is wrong."""
        lines = self.error.splitlines()
        return self.code == 2 and [line.startswith("error: ") for line in lines] == [True]


class HungError(BaseException):
    """A command takes longer than any should; no handler of errors may stop it."""


def call(arguments: Sequence[str], folder: object, *more: str) -> Done:
    """Run a command of `READING`, or one like it, on `folder`."""
    name, *rest = arguments
    module = import_module({"report": "searchspace.report"}.get(name, f"searchspace.{name}"))
    return run_function(module.main, f"searchspace/{name}.py", *rest, str(folder), *more)


def run_function(function: Callable[..., object], *argv: str) -> Done:
    """What a function leaves behind that is a command, or a part of one."""
    output, error, environment = _stream(), _stream(), dict(os.environ)
    before, sys.argv = sys.argv, [*argv] or ["part"]
    try:
        with redirect_stdout(output), redirect_stderr(error), in_time(PATIENCE):
            code = _exit_code(function)
    finally:
        sys.argv = before
        for left in os.environ.keys() - environment.keys():
            del os.environ[left]
        os.environ.update(environment)
    return Done(code, _text(output), _text(error))


def _exit_code(function: Callable[..., object]) -> int:
    try:
        run_command(function)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def _stream() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    return stream.buffer.getvalue().decode()  # type: ignore[attr-defined]  # a BytesIO


@contextmanager
def in_time(seconds: float) -> Iterator[None]:
    """Raise `HungError` where the block takes longer."""

    def stop(_signal: int, _frame: object) -> None:
        raise HungError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
