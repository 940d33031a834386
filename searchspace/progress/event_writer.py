"""Writes the events of a search to a pipe, for the program that started its command.

The search never waits for the reader. Where the reader is gone, the command ends as after SIGTERM: every trial finishes
its epoch and is saved.
"""

import os
import select
import signal
import threading
from collections import deque
from collections.abc import Callable
from functools import cache

from searchspace.api.process.search_events import EpochEnded, SearchEvent, WorkProgress, encode_event
from searchspace.cli.command_start import EVENTS_VARIABLE

PROGRESS_INTERVAL_S = 0.5
"""Seconds between two looks at the search's progress, and at whether the reader is there."""
MAX_WAITING = 10_000
"""Events that wait for a slow reader; further epochs are left out."""


class EventWriter:
    """Writes events in their order, from a thread of its own."""

    def __init__(self, descriptor: int, on_reader_gone: Callable[[], None]) -> None:
        """Write to `descriptor`; call `on_reader_gone` once where there is no reader any more."""
        os.set_blocking(descriptor, False)
        self._descriptor, self._on_reader_gone = descriptor, on_reader_gone
        self.read_progress: Callable[[], SearchEvent | None] = lambda: None
        """The search's progress, to be written from time to time, while there is any."""
        self._waiting: deque[SearchEvent] = deque()
        self._changed = threading.Condition()
        self._is_idle, self._is_gone = True, False
        threading.Thread(target=self._run, name="events", daemon=True).start()

    def send(self, event: SearchEvent) -> None:
        """Write an event soon; the progress of the same work replaces what waits."""
        with self._changed:
            if self._is_gone or (isinstance(event, EpochEnded) and len(self._waiting) >= MAX_WAITING):
                return
            newest = self._waiting[-1] if self._waiting else None
            if isinstance(event, WorkProgress) and isinstance(newest, WorkProgress) and newest.what == event.what:
                self._waiting.pop()
            self._waiting.append(event)
            self._changed.notify_all()

    def flush(self) -> None:
        """Wait until everything is written, as long as there is a reader."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_gone or (self._is_idle and not self._waiting))

    def _run(self) -> None:
        try:
            while (event := self._next()) is None or self._write(encode_event(event)):
                if event is None and not self._has_reader():
                    break
        finally:
            with self._changed:
                self._is_gone = True
                self._waiting.clear()
                self._changed.notify_all()
        self._on_reader_gone()

    def _next(self) -> SearchEvent | None:
        """The next event that waits; when none has come for a while, the search's progress, if it has any."""
        with self._changed:
            self._is_idle = not self._waiting
            self._changed.notify_all()
            self._changed.wait_for(lambda: bool(self._waiting), PROGRESS_INTERVAL_S)
            self._is_idle = False
            if self._waiting:
                return self._waiting.popleft()
        return self.read_progress()

    def _write(self, line: bytes) -> bool:
        """Write a line as fast as it is read; False where there is no reader."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        while line:
            poll.poll()
            try:
                line = line[os.write(self._descriptor, line) :]
            except BlockingIOError:
                continue
            except OSError:
                return False
        return True

    def _has_reader(self) -> bool:
        poll = select.poll()
        poll.register(self._descriptor, 0)
        return not poll.poll(0)


@cache
def host_events() -> EventWriter | None:
    """What writes to the program that started this process to hear its events; None where a person did."""
    descriptor = os.environ.get(EVENTS_VARIABLE, "")
    return EventWriter(int(descriptor), _end_calmly) if descriptor else None


def _end_calmly() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
