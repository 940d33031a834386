"""The rows of one split of a table of images, in parquet or Arrow files."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.data.decoding.arrow_images import ArrowImages, open_arrow
from trainables.data.decoding.decode import EncodedImages
from trainables.data.decoding.parquet_images import ParquetImages


@dataclass(frozen=True)
class EmbeddedTable(ABC):
    """Files with the same columns, one after another; methods raise pyarrow's errors for damaged files."""

    files: tuple[Path, ...]
    """The files, in the order of their rows."""

    @cached_property
    def schemas(self) -> list[Any]:
        """The schema of each file."""
        return [self._read_schema(file) for file in self.files]

    def read(self, column: str) -> list[Any]:
        """The content of a column of each file, an Arrow array in chunks."""
        return [self._read_column(file, column) for file in self.files]

    def read_paths(self, column: str) -> list[str | None]:
        """The path that the struct of each image names, None for none."""
        if not all(_has_paths(schema, column) for schema in self.schemas):
            return []
        return [path for file in self.files for path in self._read_paths(file, column).to_pylist()]

    @abstractmethod
    def images(self, column: str, name: str) -> EncodedImages:
        """The images of all files, by row; `name` is that of the table in messages."""

    @abstractmethod
    def _read_schema(self, file: Path) -> Any: ...

    @abstractmethod
    def _read_column(self, file: Path, column: str) -> Any: ...

    @abstractmethod
    def _read_paths(self, file: Path, column: str) -> Any: ...


@dataclass(frozen=True)
class ParquetTable(EmbeddedTable):
    """Parquet files."""

    def images(self, column: str, name: str) -> EncodedImages:
        """The images, read a few rows at a time."""
        return ParquetImages.open(list(self.files), column, name)

    def _read_schema(self, file: Path) -> Any:
        import pyarrow.parquet as pq

        return pq.read_schema(file)

    def _read_column(self, file: Path, column: str) -> Any:
        import pyarrow.parquet as pq

        return pq.ParquetFile(file).read(columns=[column])[column]

    def _read_paths(self, file: Path, column: str) -> Any:
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        return pc.struct_field(pq.ParquetFile(file).read(columns=[f"{column}.path"])[column], "path")


@dataclass(frozen=True)
class ArrowTable(EmbeddedTable):
    """Arrow files."""

    def images(self, column: str, name: str) -> EncodedImages:
        """The images, mapped into memory."""
        return ArrowImages(self.files, column, name)

    def _read_schema(self, file: Path) -> Any:
        return open_arrow(file).schema

    def _read_column(self, file: Path, column: str) -> Any:
        return open_arrow(file)[column]

    def _read_paths(self, file: Path, column: str) -> Any:
        import pyarrow.compute as pc

        return pc.struct_field(open_arrow(file)[column], "path")


@dataclass(frozen=True)
class SelectedImages:
    """Some images of a table."""

    contents: EncodedImages
    """All images."""
    rows: NDArray[np.int64]
    """The rows that are meant, ascending."""

    def __call__(self, row: int) -> bytes | Path:
        """Encoded content of an image."""
        return self.contents(int(self.rows[row]))

    def name(self, row: int) -> str:
        """Name of an image in messages, with its row in the table."""
        return self.contents.name(int(self.rows[row]))


def _has_paths(schema: Any, column: str) -> bool:
    import pyarrow as pa

    kind = schema.field(column).type
    return bool(pa.types.is_struct(kind)) and kind.get_field_index("path") >= 0
