"""Labels of images by the names of their files, and what reads them from text."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trainables.common.errors import UserError

MAX_TEXT_BYTES = 200_000_000
"""Maximum bytes of a file with labels: more than a million lines take."""


@dataclass(frozen=True)
class NamedLabels:
    """The class of each of some images."""

    classes: Mapping[str, str]
    """Class by the name of the image's file, without its suffix if `by_stem`."""
    files: tuple[Path, ...]
    """Files that the labels were read from, the most telling first."""
    by_stem: bool = False
    """Whether names are without suffix."""

    def key(self, name: str) -> str:
        """The name of a file as `classes` has it."""
        return Path(name).stem if self.by_stem else name

    def class_of(self, name: str) -> str:
        """Class of the image in the file of this name; empty if it has none."""
        return self.classes.get(self.key(name), "")


def collect_labels(file: Path, rows: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Classes by image name; raises `UserError` for an image with two."""
    classes = dict[str, str]()
    for image, name in rows:
        if classes.setdefault(image, name) != name:
            raise UserError(
                f"--data: {str(file)!r} gives image {image!r} two classes, {classes[image]!r} and {name!r}; keep the "
                "right one of the two lines"
            )
    return classes


def read_lines(file: Path) -> list[str]:
    """Lines of a text file in UTF-8; raises `UserError` if it cannot be read."""
    try:
        if file.stat().st_size > MAX_TEXT_BYTES:
            raise UserError(f"--data: {str(file)!r} has more than {MAX_TEXT_BYTES:,} bytes: no list of labels")
        return file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--data: {str(file)!r} cannot be read as text in UTF-8 ({error}); save it so") from error


def read_table(file: Path) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """Column names of a CSV file, and its rows with the number of their line; cells are without outer spaces."""
    rows = ((number, [cell.strip() for cell in row]) for number, row in enumerate(csv.reader(read_lines(file)), 1))
    filled = ((number, row) for number, row in rows if any(row))
    _, header = next(filled, (0, list[str]()))
    return header, filled


def first_file(places: Sequence[Path], names: Iterable[str]) -> Path | None:
    """The first existing file of these relative names in some folders, the nearest folder first."""
    wanted = list(names)
    return next((place / name for place in places for name in wanted if (place / name).is_file()), None)
