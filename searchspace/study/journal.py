"""The study's journal with write-behind: writes return at once, and a thread appends them to the file.

Optuna's own file backend locks, appends and flushes to disk for every hyperparameter and every epoch, some 3 ms each
time. Here one thread appends all entries since its last append in one step. Only the search itself writes its journal;
other processes read it, and see whole entries in order, a few milliseconds late.
"""

import atexit
import json
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from optuna.storages.journal import BaseJournalBackend

from searchspace.study.journal_file import JournalFile, to_lines
from trainables.common.background import Background
from trainables.common.retry import RetryPolicy
from trainables.storage.files import open_append, write_file
from trainables.storage.folders import list_folder, remove_file

WRITE_RETRIES = RetryPolicy(first=0.5, most=5.0, patience=120.0)
"""How failed writes are retried, for example to a full disk or an unmounted folder."""
FLUSH_TIMEOUT_S = 60.0
"""Most seconds that `flush` waits for the disk."""


def repair_journal(path: Path) -> int:
    """Cut off an incomplete entry that a killed writer left at a journal's end; returns its size in bytes.

    Only the one command that may write the journal may call this: it also removes the lock of the killed writer.
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
    """Remove the lock that a killed writer left, and incomplete releases of it, for which others would wait."""
    for name in list_folder(path.parent):
        if name.startswith(f"{path.name}.lock"):
            remove_file(path.parent / name)


def _is_entry(line: bytes) -> bool:
    try:
        return line.endswith(b"\n") and isinstance(json.loads(line), dict)
    except ValueError:
        return False


class WriteBehindJournal(BaseJournalBackend):
    """An Optuna journal whose entries stay in memory until a thread has written them to the file."""

    def __init__(self, path: Path) -> None:
        """Open the journal at `path`, or create it."""
        self._path, self._file = path, JournalFile(path)
        self._first = self._written = self._read = sum(1 for _ in self._file.read(0))
        self._entries: list[dict[str, Any]] = []
        self._changed = threading.Condition()
        self._thread = Background(f"cannot write {path}", self._write, WRITE_RETRIES)
        atexit.register(self._end)

    def watch(self, give_up: Callable[[BaseException], None]) -> None:
        """Call `give_up` when writing has failed for `WRITE_RETRIES.patience` seconds."""
        self._thread.when_given_up(give_up)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Add entries; they are on disk soon, at the latest when `flush` returns."""
        entries = json.loads(json.dumps(logs))  # as they will be read back
        with self._changed:
            self._entries.extend(entries)
        self._thread.wake()

    def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
        """Entries from a number on; those that were read and are on disk are dropped from memory."""
        with self._changed:
            if log_number_from >= self._first:
                self._read = log_number_from
                return self._entries[log_number_from - self._first :]
        self.flush()
        return self._file.read(log_number_from)

    def flush(self) -> None:
        """Wait until all entries are on disk; after `FLUSH_TIMEOUT_S`, raises the error, such as a full disk."""
        self._thread.wake()
        patience = 0.0 if self._thread.given_up else FLUSH_TIMEOUT_S
        with self._changed:
            done = self._changed.wait_for(lambda: self._written == self._count, timeout=patience)
        if done:
            return
        error = self._thread.error
        if isinstance(error, OSError):
            raise error
        raise TimeoutError(f"{self._path} could not be written in {patience:.0f} s") from error

    def rescue(self, place: Path) -> int:
        """Write the entries that are not on disk to `place`; returns their number. Raises OSError."""
        entries = self._unwritten()
        if entries:
            write_file(place, to_lines(entries))
        return len(entries)

    @property
    def path(self) -> Path:
        """Path of the journal."""
        return self._path

    @property
    def _count(self) -> int:
        return self._first + len(self._entries)

    def _unwritten(self) -> list[dict[str, Any]]:
        with self._changed:
            return self._entries[self._written - self._first :]

    def _write(self) -> None:
        """Append all new entries to the file; raises OSError where that fails."""
        while batch := self._unwritten():
            self._file.append(batch)
            with self._changed:
                self._written += len(batch)
                done = min(self._written, self._read) - self._first
                del self._entries[:done]
                self._first += done
                self._changed.notify_all()

    def _end(self) -> None:
        with suppress(OSError):  # which was reported
            self.flush()
