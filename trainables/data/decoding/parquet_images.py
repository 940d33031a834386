"""Encoded images in parquet files, read in order a few rows at a time."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from trainables.data.decoding.arrow_images import content_of, damage_named

ROWS_IN_MEMORY = 64
"""Rows of a file that each thread holds in memory."""


@dataclass
class _Cursor:
    """The position of one thread in a row group, and the rows it holds."""

    group: int
    """Number of the row group, counted over all files."""
    first: int
    """Row of the first image in memory."""
    batches: Iterator[Any]
    """Iterator over the rows that follow."""
    held: Any = ()
    """Image structs, or their bytes, in memory, an Arrow array."""

    def read(self, row: int) -> bytes:
        while row >= self.first + len(self.held):
            self.first += len(self.held)
            self.held = next(self.batches)
        return content_of(self.held[row - self.first].as_py())


@dataclass(frozen=True)
class ParquetImages:
    """Encoded images of one part, by row. Ascending rows are fast; a step back reads the row group again."""

    groups: tuple[tuple[Path, int, int], ...]
    """File, number in the file, and first row of each row group."""
    column: str
    """Name of the image column."""
    part: str
    """Name of the part in messages."""
    _threads: threading.local = field(default_factory=threading.local)

    @classmethod
    def open(cls, files: list[Path], column: str, part: str) -> "ParquetImages":
        """Open the images of `files`, one file after another; raises pyarrow's errors for a damaged file."""
        import pyarrow.parquet as pq

        groups, first = [], 0
        for file in files:
            metadata = pq.read_metadata(file)
            for number in range(metadata.num_row_groups):
                groups.append((file, number, first))
                first += metadata.row_group(number).num_rows
        return cls(tuple(groups), column, part)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without the threads' positions."""
        return ParquetImages, (self.groups, self.column, self.part)

    def __call__(self, row: int) -> bytes:
        """Content of the image at `row`; raises `UserError` for a file that cannot be read."""
        group = int(np.searchsorted([first for _, _, first in self.groups], row, side="right")) - 1
        file, number, first = self.groups[group]
        cursor: _Cursor | None = getattr(self._threads, "cursor", None)
        if cursor is None or cursor.group != group or row < cursor.first:
            cursor = self._threads.cursor = _Cursor(group, first, self._batches(file, number))
        with damage_named(f"--data {str(file)!r}: cannot be read"):
            return cursor.read(row)

    def name(self, row: int) -> str:
        """Name of the image at `row` in messages."""
        return f"{self.part}[{row}]"

    def _batches(self, file: Path, group: int) -> Iterator[Any]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        # Mapped and on one thread, pyarrow holds the current pages, not the row group, which may be the whole file.
        opened = pq.ParquetFile(file, memory_map=True)
        is_struct = pa.types.is_struct(opened.schema_arrow.field(self.column).type)
        columns = [f"{self.column}.bytes" if is_struct else self.column]
        for batch in opened.iter_batches(ROWS_IN_MEMORY, row_groups=[group], columns=columns, use_threads=False):
            yield batch.column(0)
