"""Encoded images in parquet files, read forward a few rows at a time, never a whole table."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from trainables.common.errors import UserError

ROWS_IN_MEMORY = 64
"""Rows of a file in memory at a time, in each thread."""


@dataclass
class _Cursor:
    """How far one thread has read: some rows of one row group."""

    group: int
    """Which row group, counted over all files."""
    first: int
    """Row of the first image held."""
    batches: Iterator[Any]
    """What comes after those held."""
    held: Any = ()
    """Image structs, an Arrow array."""

    def read(self, row: int) -> bytes:
        while row >= self.first + len(self.held):
            self.first += len(self.held)
            self.held = next(self.batches)
        return bytes((self.held[row - self.first].as_py() or {}).get("bytes") or b"")


@dataclass(frozen=True)
class ParquetImages:
    """Encoded images of one part, by row. Ascending rows are read fast; a step back starts its row group again."""

    groups: tuple[tuple[Path, int, int], ...]
    """Of each row group: its file, its number there, and its first row."""
    column: str
    """Name of the image column."""
    part: str
    """What to call the part in messages."""
    _threads: threading.local = field(default_factory=threading.local)

    @classmethod
    def open(cls, files: list[Path], column: str, part: str) -> "ParquetImages":
        """Images of `files`, one after another; raises what pyarrow raises for a damaged file."""
        import pyarrow.parquet as pq

        groups, first = [], 0
        for file in files:
            metadata = pq.read_metadata(file)
            for number in range(metadata.num_row_groups):
                groups.append((file, number, first))
                first += metadata.row_group(number).num_rows
        return cls(tuple(groups), column, part)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled without the threads' cursors."""
        return ParquetImages, (self.groups, self.column, self.part)

    def __call__(self, row: int) -> bytes:
        """Content of the image at `row`; raises `UserError` naming a file that cannot be read on."""
        group = int(np.searchsorted([first for _, _, first in self.groups], row, side="right")) - 1
        file, number, first = self.groups[group]
        cursor: _Cursor | None = getattr(self._threads, "cursor", None)
        if cursor is None or cursor.group != group or row < cursor.first:
            cursor = self._threads.cursor = _Cursor(group, first, self._batches(file, number))
        try:
            return cursor.read(row)
        except (OSError, ValueError) as error:
            raise UserError(f"--data {str(file)!r}: cannot be read ({error})") from error

    def name(self, row: int) -> str:
        """What to call the image at `row`."""
        return f"{self.part}[{row}]"

    def _batches(self, file: Path, group: int) -> Iterator[Any]:
        import pyarrow.parquet as pq

        # Mapped and on one thread, pyarrow holds the pages it is at, not the row group, which may be the whole file.
        opened = pq.ParquetFile(file, memory_map=True)
        columns = [f"{self.column}.bytes"]
        for batch in opened.iter_batches(ROWS_IN_MEMORY, row_groups=[group], columns=columns, use_threads=False):
            yield batch.column(0)
