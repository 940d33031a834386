"""A text stream that outlives its target: once the target is lost, text is written to a log."""

import errno
import os
import select
import tempfile
import threading
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from trainables.common.errors import UserError

PIPE_BYTES = 65_536
"""Bytes that a pipe holds (Linux): what its reader may not have read when it leaves."""
BUFFER_CHARACTERS = 8_192
"""Characters after which a buffered stream is flushed."""


class SurvivingStream:
    """Writes to the descriptor of a stream without raising; once that is lost, it writes to a log.

    Until a log is known, an unnamed file buffers its text. All other attributes are its target's.
    """

    def __init__(self, target: TextIO, name: str) -> None:
        """Stand for `target`, which has a descriptor, and is called `name` in what is said of its loss."""
        self._target, self._name = target, name
        self._by_lines = bool(getattr(target, "line_buffering", False) or getattr(target, "write_through", False))
        self._lock = threading.RLock()
        self._pending: list[str] = []
        self._passed: deque[bytes] | None = None if target.isatty() else deque()
        """The last that was passed on to a pipe, which may not have been read; a terminal has shown it."""
        self._fallback = -1
        """Descriptor of the log, or of the file that keeps what it is to get."""
        self._log: Path | None = None
        self.lost = ""
        """Why its target is gone; empty while it is there."""
        self.trouble = ""
        """Why something could not be written at all; empty where everything was."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)

    @property
    def target(self) -> TextIO:
        """The stream that it replaces."""
        return self._target

    def isatty(self) -> bool:
        """Whether the target is a terminal that is not lost."""
        return not self.lost and self._target.isatty()

    def write(self, text: str) -> int:
        """Write, to the log where the target is gone; never raises OSError."""
        if not isinstance(text, str):
            raise TypeError(f"write() takes text, not {type(text).__name__}")  # by which Click finds out what it has
        with self._lock:
            self._pending.append(text)
            if (self._by_lines and "\n" in text) or sum(map(len, self._pending)) > BUFFER_CHARACTERS:
                self.flush()
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Pass on what was written; never raises OSError."""
        with self._lock:
            text, self._pending = "".join(self._pending), []
            content = text.encode(self._target.encoding, "backslashreplace")
            try:
                rest, why = _write(self._target.fileno(), content)
            except ValueError as error:  # it was closed
                self.trouble = str(error)
                return
            if why and not self.lost and not self._is_log():
                self.mark_lost(why)
                rest, why = _write(self._target.fileno(), rest)
            self.trouble = self.trouble or why
            self._keep(content)

    def retarget(self, target: TextIO) -> None:
        """Stand for another stream from here on; its place is taken at once where this one's target is gone."""
        with self._lock:
            self.flush()
            self._target = target
            if self.lost:
                self._replace()

    def continue_in(self, log: Path) -> None:
        """Use this file where the target is gone, or goes; it gets what was kept for it."""
        with self._lock:
            self._log = log
            if not self.lost:
                return
            self.flush()
            kept, self._fallback = self._fallback, -1
            self._replace()
            with suppress(OSError):
                os.lseek(kept, 0, os.SEEK_SET)
                while part := os.read(kept, PIPE_BYTES):
                    _write(self._fallback, part)
            os.close(kept)

    def mark_lost(self, why: str) -> None:
        """Treat the target as lost from here on."""
        self.lost = why
        self._replace()
        where = f"what follows is in {self._log.name}" if self._log else "what follows goes to the search's log"
        passed = b"".join(self._passed or ())
        _write(self._fallback, passed + f"{self._name} is gone ({why}): {where}\n".encode())

    def _is_log(self) -> bool:
        """Whether the target itself is the log: standard error while a search runs."""
        try:
            return self._log is not None and os.path.samestat(os.fstat(self._target.fileno()), self._log.stat())
        except (OSError, ValueError):
            return False

    def _replace(self) -> None:
        """Let the target's descriptor lead to the log, or to the file that is kept for it."""
        if self._fallback < 0:
            self._fallback = _open_fallback(self._log)
        with suppress(OSError, ValueError):
            os.dup2(self._fallback, self._target.fileno())

    def _keep(self, content: bytes) -> None:
        if self._passed is not None and not self.lost and content:
            self._passed.append(content)
            while sum(map(len, self._passed)) > PIPE_BYTES + len(self._passed[0]):
                self._passed.popleft()


def _write(descriptor: int, content: bytes) -> tuple[bytes, str]:
    """Write all of `content`; what is left of it where that fails, and why."""
    while content:
        try:
            content = content[os.write(descriptor, content) :]
        except BlockingIOError:
            select.select([], [descriptor], [])
        except OSError as error:
            return content, os.strerror(error.errno or errno.EIO)
    return content, ""


def _open_fallback(log: Path | None) -> int:
    """The log; before there is one a file without a name; and where neither can be, nothing."""
    from trainables.storage.files import open_append

    try:
        if log is not None:
            with open_append(log) as file:
                return os.dup(file.fileno())
        with tempfile.TemporaryFile(buffering=0) as kept:
            return os.dup(kept.fileno())
    except (OSError, UserError):
        return os.open(os.devnull, os.O_RDWR)
