"""When a command began: at the start of its process, so that imports count, or where a program calls it."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import psutil

RESTARTED = "SEARCHSPACE_RESTARTED"
"""Environment variable: when a command replaced its process by another, in seconds since 1970."""
EVENTS_VARIABLE = "SEARCHSPACE_EVENTS"
"""Environment variable: descriptor of a pipe, which the process inherits, for events; a person's command has none."""
HOST_RAY_VARIABLE = "SEARCHSPACE_HOST_RAY"
"""Environment variable: address of the Ray of the program that started this command."""
_begun: ContextVar[float | None] = ContextVar("command start", default=None)


@contextmanager
def command_of_process() -> Iterator[None]:
    """A block that is all that its process is there for, so that the command began with the process."""
    token = _begun.set(time.monotonic() - process_seconds())
    try:
        yield
    finally:
        _begun.reset(token)


def command_start() -> float:
    """When this command began, by the monotonic clock; now, where a longer process calls it."""
    begun = _begun.get()
    return time.monotonic() if begun is None else begun


def process_seconds() -> float:
    """Seconds since this process began, or since it was restarted."""
    began: float = max(psutil.Process().create_time(), float(os.environ.get(RESTARTED, "0")))
    return max(0.0, time.time() - began)


def mark_restart() -> None:
    """Let the command that replaces this process count from now: what came before is in its record."""
    os.environ[RESTARTED] = str(time.time())
