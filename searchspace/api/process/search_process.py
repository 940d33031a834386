"""A search's process, as the program sees it that started it: events, interruption, and how it ended.

The process is in a session of its own, so that signals of the host's terminal do not reach it. It ends calmly when the
host is gone, because its events have no reader any more.
"""

import os
import select
import signal
import subprocess
import tempfile
from collections import deque
from contextlib import suppress
from types import TracebackType

from pydantic import ValidationError

from searchspace.api.process.search_events import SearchEnded, SearchEvent, SearchStarted, decode_event
from searchspace.api.process.search_request import SearchRequest, python_command
from searchspace.cli.command_start import EVENTS_VARIABLE

EVENT_WAIT_MS = 200
"""Milliseconds that `next_event` waits for an event."""
QUOTED_LINES, QUOTED_BYTES = 12, 8192
"""Last lines of the process's output that an error quotes, and the bytes that these may have."""
READ_BYTES = 1 << 16


class SearchProcess:
    """Runs one search; a context manager that leaves no process behind."""

    def __init__(self, request: SearchRequest) -> None:
        """Start the process of `request`."""
        self.started: SearchStarted | None = None
        """Where the search is, once its folder is there."""
        self.ended: SearchEnded | None = None
        """How it ended, once it says so."""
        self._arrived: deque[bytes] = deque()
        self._begun = b""
        self._has_ended = False
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `__exit__`
        self._events, events = os.pipe()
        try:
            self._process = subprocess.Popen(  # noqa: S603  # this program
                [*python_command(request.module), *request.arguments], stdin=subprocess.DEVNULL, stdout=self._output,
                stderr=self._output, env=request.environment | {EVENTS_VARIABLE: str(events)}, pass_fds=[events],
                start_new_session=True,
            )  # fmt: skip
        except BaseException:
            os.close(self._events)
            self._output.close()
            raise
        finally:
            os.close(events)

    def __enter__(self) -> "SearchProcess":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._events)  # without a reader the process ends calmly
        self._process.wait()
        self.last_lines = self._read_last_lines()
        self._output.close()

    @property
    def exit_code(self) -> int | None:
        """Of the process; None while it runs, below 0 where a signal killed it."""
        return self._process.poll()

    @property
    def is_over(self) -> bool:
        """Whether the process has ended and all of its events were read."""
        return self._has_ended and not self._arrived

    def next_event(self) -> SearchEvent | None:
        """The next event, after waiting for it a short while; None where none has come."""
        if not self._arrived and not self._has_ended:
            self._read()
        while self._arrived:
            with suppress(ValidationError):  # a line of which an interrupt has lost a part
                return self._heard(decode_event(self._arrived.popleft()))
        return None

    def _read(self) -> None:
        exited = self._process.poll() is not None
        poll = select.poll()
        poll.register(self._events, select.POLLIN)
        if not poll.poll(0 if exited else EVENT_WAIT_MS):
            self._has_ended = exited  # where another process still holds the other end
            return
        came = os.read(self._events, READ_BYTES)
        if not came:
            self._process.wait()
            self._has_ended = True
        *lines, self._begun = (self._begun + came).split(b"\n")
        self._arrived.extend(lines)

    def _heard(self, event: SearchEvent) -> SearchEvent:
        if isinstance(event, SearchStarted):
            self.started = event
        elif isinstance(event, SearchEnded):
            self.ended = event
        return event

    def interrupt(self) -> None:
        """Let every trial finish its epoch and save, and end then; the second time, end at once."""
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGINT)

    last_lines = ""
    """The last lines that the process printed itself; known at the end of the block."""

    def _read_last_lines(self) -> str:
        file = self._output.fileno()
        size = os.fstat(file).st_size
        content = os.pread(file, QUOTED_BYTES, max(0, size - QUOTED_BYTES))
        return "\n".join(content.decode("utf-8", "backslashreplace").strip().splitlines()[-QUOTED_LINES:])
