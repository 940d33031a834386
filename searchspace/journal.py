"""The study's journal, written behind: whoever decides goes on at once, and a thread brings the file up to date.

Optuna's own file backend locks, appends and flushes to disk for every hyperparameter and every epoch, some 3 ms each
time. Here one thread appends whatever has come since its last append, in one such step. Only the search itself writes
its journal; other processes read it, and see whole entries in order, a few milliseconds late.
"""

import atexit
import json
import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from optuna.storages.journal import BaseJournalBackend, JournalFileBackend

from trainables.files import open_append
from trainables.folders import names, remove_file

RETRY = 1.0
"""Seconds until a failed write, to a full disk say, is tried again."""
PATIENCE = 60.0
"""Seconds that `flush` waits for the disk at most."""


def mend(path: Path) -> int:
    """Cut off what a writer that was killed left half-written at a journal's end; returns its bytes.

    For who alone may write it: the lock that such a writer may have left is removed, too.
    """
    remove_locks(path)
    with open_append(path) as file:
        file.seek(0)
        content = file.read()
        whole = size = len(content)
        while whole and not _is_entry(content[content.rfind(b"\n", 0, whole - 1) + 1 : whole]):
            whole = content.rfind(b"\n", 0, whole - 1) + 1
        file.truncate(whole)
    return size - whole


def remove_locks(path: Path) -> None:
    """Remove the lock that a killed writer left, which others would wait for, or what is left of giving it back."""
    for name in names(path.parent):
        if name.startswith(f"{path.name}.lock"):
            remove_file(path.parent / name)


def _is_entry(line: bytes) -> bool:
    try:
        return line.endswith(b"\n") and isinstance(json.loads(line), dict)
    except ValueError:
        return False


class WriteBehindJournal(BaseJournalBackend):
    """Entries in memory until they are in an Optuna journal file, soon after."""

    def __init__(self, path: Path) -> None:
        """Take up the journal at `path`, or begin it."""
        self._path, self._file = path, JournalFileBackend(str(path))
        self._first = self._written = self._read = sum(1 for _ in self._file.read_logs(0))
        self._entries: list[dict[str, Any]] = []
        self._trouble: OSError | None = None
        self._changed = threading.Condition()
        threading.Thread(target=self._write_for_ever, name="journal", daemon=True).start()
        atexit.register(self.flush)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Take entries; they are on disk soon, or when `flush` returns."""
        entries = json.loads(json.dumps(logs))  # as they will be read back
        with self._changed:
            self._entries.extend(entries)
            self._changed.notify_all()

    def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
        """Entries from a number on; what was read, and is on disk, is kept there alone."""
        with self._changed:
            if log_number_from >= self._first:
                self._read = log_number_from
                return self._entries[log_number_from - self._first :]
        self.flush()
        return self._file.read_logs(log_number_from)

    def flush(self) -> None:
        """Wait until everything is on disk; raises what stands in the way, such as a full disk, after `PATIENCE`."""
        with self._changed:
            done = self._changed.wait_for(lambda: self._written == self._count, timeout=PATIENCE)
        if not done:
            raise self._trouble or TimeoutError(f"{self._path} could not be written in {PATIENCE:.0f} s")

    @property
    def _count(self) -> int:
        return self._first + len(self._entries)

    def _write_for_ever(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._written < self._count)
                batch = self._entries[self._written - self._first :]
            self._append(batch)

    def _append(self, batch: list[dict[str, Any]]) -> None:
        size = self._path.stat().st_size
        try:
            self._file.append_logs(batch)
        except OSError as error:
            os.truncate(self._path, size)  # no half an entry stays behind
            self._trouble = error
            threading.Event().wait(RETRY)
            return
        with self._changed:
            self._written += len(batch)
            done = min(self._written, self._read) - self._first
            del self._entries[:done]
            self._first += done
            self._changed.notify_all()
