"""What goes wrong while a results folder is read whose files are each of the right form, but do not make sense."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from trainables.common.errors import DamagedError

FAULTS = (ValueError, TypeError, LookupError, ArithmeticError, MemoryError)
"""What senseless values lead to; anything else is a defect, and keeps its traceback."""
SAID = 200
"""Characters of an error that are quoted."""


@contextmanager
def reading_search(folder: Path) -> Iterator[None]:
    """Around what is made of the files of one search: raises `DamagedError` of its folder for each of `FAULTS`."""
    try:
        yield
    except FAULTS as error:
        first = (str(error).splitlines() or [""])[0][:SAID]
        said = f"{type(error).__name__}: {first}" if first else type(error).__name__
        raise DamagedError(folder, f"cannot be read as a search ({said})") from error


def check_classes(counts: Mapping[Path, int]) -> None:
    """Raise `DamagedError` where files of one search have different numbers of classes, which `counts` are."""
    (first, expected), *rest = counts.items()
    for file, count in rest:
        if count != expected:
            raise DamagedError(file, f"is of {count:,} classes, and {first} of {expected:,}")
