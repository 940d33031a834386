"""Interruption by signals: after the first, the search ends when running epochs are over; after the second, at once.

A signal handler may run anywhere, also within a `print` or while a lock is held. So it only sets a flag; a thread
prints the message soon after.
"""

import logging
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType
from typing import Protocol

from trainables.common.errors import SearchEndedError
from trainables.common.reporter import Reporter

logger = logging.getLogger(__name__)

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
POLL_INTERVAL_S = 0.1
"""Seconds between two looks at the flag."""
REPEATED_SIGNAL_S = 0.2
"""Seconds in which a signal that comes again is the same one: `timeout` signals its command, then the whole group."""
EXPORT_TIMEOUT_S = 25.0
"""Seconds that an export has to come to its next step after a signal; Kubernetes and Slurm kill after 30."""


class Interrupted(Exception):  # noqa: N818  # no error: somebody wanted it
    """A signal asks the command to end; the search can be resumed later."""

    def __init__(self, number: int) -> None:
        """Because of signal `number`."""
        super().__init__(signal.Signals(number).name)
        self.code = 128 + number


class DatabaseAwayError(SearchEndedError):
    """The database of a search's study was away for too long."""


class LostError(Exception):
    """A part that the search depends on was lost; a restart resumes from the record."""


class Terminal(Protocol):
    """Shows a user events."""

    @property
    def descriptor(self) -> int:
        """File descriptor of what the user looks at."""


class Interruption:
    """Hears signals while it is entered; SIGHUP stays ignored where it was, as by `nohup`."""

    def __init__(self, speaker: Terminal, how_to_go_on: Callable[[], str]) -> None:
        """Tell of the first signal by `speaker`, and at the second one `how_to_go_on`."""
        self._speaker, self._how = speaker, how_to_go_on
        self._number, self._heard = 0, 0.0
        self._before: dict[int, object] = {}
        self._patience: float | None = None
        self._last_words = b""
        self._left = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="signals", daemon=True)

    def __enter__(self) -> "Interruption":
        ignored = {signal.SIGHUP} if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else set()
        self._before = {number: signal.signal(number, self._on_signal) for number in SIGNALS if number not in ignored}
        self._last_words = f"stopped at once; {self._how()}\n".encode("utf-8", "backslashreplace")
        self._watcher.start()
        return self

    def reinstall_handlers(self) -> None:
        """Hear signals again after something took them, as Ray's start does with SIGTERM; raise if one has come."""
        for number in self._before:
            signal.signal(number, self._on_signal)
        self.check()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what `signal` itself gave
        self._left.set()
        self._watcher.join(1.0)  # it may be printing to a terminal that takes nothing

    def is_requested(self) -> bool:
        """Whether a signal has come."""
        return self._number != 0

    def check(self) -> None:
        """Raise `Interrupted` if a signal has come."""
        if self._number:
            raise Interrupted(self._number)

    @contextmanager
    def exit_within(self, seconds: float) -> Iterator[None]:
        """End the process this many seconds after a signal, even in mid-work: for work that can be repeated."""
        self._patience = seconds
        try:
            yield
        finally:
            self._patience = None

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if not self._number:
            self._number, self._heard = number, time.monotonic()
        elif number == signal.SIGHUP:  # a terminal that closes sends it more than once
            return
        elif time.monotonic() - self._heard > REPEATED_SIGNAL_S:
            self._exit_at_once()

    def _exit_at_once(self) -> None:
        """End at once, without waiting for other threads; Ray's processes end with this one."""
        with suppress(OSError, ValueError):
            there = self._speaker.descriptor
            if select.select([], [there], [], 0)[1]:  # a pipe that is full would hold this up
                os.write(there, self._last_words)
        os._exit(128 + self._number)

    def _watch(self) -> None:
        """Say once what was heard, and see to `within`."""
        while not self._number and not self._left.wait(POLL_INTERVAL_S):
            pass
        if not self._number:
            return
        name = signal.Signals(self._number).name
        with suppress(Exception):  # a signal counts, said or not
            self._last_words = f"stopped at once; {self._how()}\n".encode("utf-8", "backslashreplace")
            logger.info(f"{name}: every trial finishes its epoch and is saved; again to stop at once")
        waited = 0.0
        while not self._left.wait(POLL_INTERVAL_S):
            waited = waited + POLL_INTERVAL_S if self._patience is not None else 0.0
            if self._patience is not None and waited > self._patience:
                self._exit_at_once()


class InterruptibleReporter:
    """A reporter that raises `Interrupted` after a signal, between two steps of long work."""

    def __init__(self, reporter: Reporter, check: Callable[[], None]) -> None:
        """Report by `reporter`, and call `check` before."""
        self._reporter, self._check = reporter, check

    def progress(self, what: str, done: int, total: int) -> None:
        """Report how far the work is."""
        self._check()
        self._reporter.progress(what, done, total)
