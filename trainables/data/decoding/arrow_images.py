"""Encoded images in Arrow files, mapped into memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from trainables.common.errors import UserError
from trainables.common.escaping import printable

FILE_FORMAT = b"ARROW1"
"""First bytes of the format with random access; the streaming format, of `save_to_disk`, has none."""


@contextmanager
def damage_named(where: str, remedy: str = "") -> Iterator[None]:
    """Raise `UserError`, in one line that begins with `where`, in place of pyarrow's errors of a damaged file."""
    import pyarrow as pa

    try:
        yield
    except (OSError, ValueError, pa.ArrowException) as error:
        said = " ".join(printable(str(error)).split("\\n")[0].split())
        raise UserError(f"{where} ({said})" + (f"; {remedy}" if remedy else "")) from error


def open_arrow(file: Path) -> Any:
    """The table in a file, mapped into memory; raises pyarrow's errors for a damaged file."""
    import pyarrow as pa

    mapped = pa.memory_map(str(file))
    if mapped.size() and mapped.read(len(FILE_FORMAT)) == FILE_FORMAT:
        return pa.ipc.open_file(mapped).read_all()
    mapped.seek(0)
    return pa.ipc.open_stream(mapped).read_all()


def content_of(value: Any) -> bytes:
    """The bytes of an image in a cell: of a struct with `bytes`, or themselves."""
    found = value.get("bytes") if isinstance(value, dict) else value
    return bytes(found or b"")


@dataclass(frozen=True)
class ArrowImages:
    """Encoded images of one part, by row, in any order."""

    files: tuple[Path, ...]
    """Arrow files, in the order of their rows."""
    column: str
    """Name of the image column."""
    part: str
    """Name of the part in messages."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without the files' content."""
        return ArrowImages, (self.files, self.column, self.part)

    def __call__(self, row: int) -> bytes:
        """Content of the image at `row`; raises `UserError` for a file that cannot be read."""
        return content_of(self._images[row].as_py())

    def name(self, row: int) -> str:
        """Name of the image at `row` in messages."""
        return f"{self.part}[{row}]"

    @cached_property
    def _images(self) -> Any:
        import pyarrow as pa

        with damage_named(f"--data {self.part!r}: cannot be read"):
            return pa.chunked_array([chunk for file in self.files for chunk in open_arrow(file)[self.column].chunks])
