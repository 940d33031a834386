"""`_classes.csv` as Roboflow exports it beside images: a column for each class, 1 for the image's."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from trainables.common.errors import UserError
from trainables.data.layouts.annotations.named_labels import NamedLabels, collect_labels, read_table
from trainables.data.layouts.detected_layout import list_names

ONE_HOT_TABLE = "_classes.csv"
VALUES = {"0": False, "1": True, "0.0": False, "1.0": True}


def read_labels(places: Sequence[Path], _names: Collection[str]) -> NamedLabels | None:
    """Labels by the table in the images' folder; None if there is none.

    Images without a class have no label. Raises `UserError`, naming the line, for an image of several classes.
    """
    file = places[0] / ONE_HOT_TABLE
    if not file.is_file():
        return None
    return NamedLabels(collect_labels(file, _read_rows(file)), (file,))


def _read_rows(file: Path) -> Iterator[tuple[str, str]]:
    (image, *names), rows = _header(file)
    for number, row in rows:
        where = f"--data: line {number} of {str(file)!r}"
        if len(row) != len(names) + 1 or any(value not in VALUES for value in row[1:]):
            raise UserError(f"{where} is not {image!r} and {len(names):,} times 0 or 1; mend or delete it")
        found = [name for name, value in zip(names, row[1:], strict=True) if VALUES[value]]
        if len(found) > 1:
            raise UserError(
                f"{where} gives image {row[0]!r} {len(found):,} classes ({list_names(found)}), and a classifier gives "
                "each image one; keep one of them, or delete the line"
            )
        yield from ((row[0], name) for name in found)


def _header(file: Path) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    header, rows = read_table(file)
    if len(header) < 2 or len(set(header)) < len(header) or not all(header):
        raise UserError(
            f"--data: {str(file)!r} does not begin with the names of its columns, 'filename' and each class once; "
            "export it anew, or delete it"
        )
    return header, rows
