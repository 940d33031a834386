"""The file of a study's journal, as its only writer knows it: its identity, size and last bytes."""

import errno
import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from optuna.storages.journal import JournalFileBackend

from trainables.storage.files import open_append, open_file

TAIL_BYTES = 4096
"""Bytes at its end by which a copy of the file is recognised."""


class ReplacedError(OSError):
    """Another file has replaced the journal."""


class JournalFile:
    """An Optuna journal that is only appended to, and only if it is still the file that was written before."""

    def __init__(self, path: Path) -> None:
        """Open the journal at `path`, or create it."""
        self._path, self._backend = path, JournalFileBackend(str(path))
        self._torn = False
        self._identity, self._size, self._tail = self._look()

    def read(self, number: int) -> Iterable[dict[str, Any]]:
        """Entries from a number on."""
        found: Iterable[dict[str, Any]] = self._backend.read_logs(number)
        return found

    def append(self, entries: list[dict[str, Any]]) -> None:
        """Add entries, all or none of them.

        Raises OSError where the file is missing, was replaced or shortened, or cannot be written.
        """
        self._check()
        try:
            self._backend.append_logs(entries)
        except BaseException:
            self._torn = True
            with suppress(OSError):  # else before the next entries
                self._cut()
            raise
        self._identity, self._size, self._tail = self._look()

    def _check(self) -> None:
        found = os.stat(self._path)
        if (found.st_dev, found.st_ino) != self._identity:
            if found.st_size < self._size or self._tail_at(self._size) != self._tail:
                raise ReplacedError(
                    errno.ESTALE,
                    "is not the file that was written to; put that, with its folder, back",
                    str(self._path),
                )
            self._identity = (found.st_dev, found.st_ino)  # a copy of it
            self._torn = self._torn or found.st_size > self._size
        if found.st_size < self._size:
            raise ReplacedError(errno.ESTALE, f"has lost {self._size - found.st_size:,} bytes", str(self._path))
        if self._torn:
            self._cut()

    def _cut(self) -> None:
        """Remove an incomplete entry at the end."""
        os.stat(self._path)  # raises where it is missing; `open_append` would create it
        with open_append(self._path) as file:
            found = os.fstat(file.fileno())
            if (found.st_dev, found.st_ino) == self._identity:
                file.truncate(self._size)
                self._torn = False

    def _look(self) -> tuple[tuple[int, int], int, bytes]:
        """Device and inode of the file, its size in bytes, and its last bytes."""
        found = os.stat(self._path)
        return (found.st_dev, found.st_ino), found.st_size, self._tail_at(found.st_size)

    def _tail_at(self, size: int) -> bytes:
        """The last bytes of the first `size`."""
        with open_file(self._path) as file:
            file.seek(max(0, size - TAIL_BYTES))
            return file.read(min(TAIL_BYTES, size))


def to_lines(entries: list[dict[str, Any]]) -> bytes:
    """Entries in the format of a journal."""
    return b"".join(json.dumps(entry, separators=(",", ":")).encode() + b"\n" for entry in entries)
