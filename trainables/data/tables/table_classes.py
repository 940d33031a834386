"""The classes of a table's labels, and the rows without a label."""

from collections.abc import Sequence
from dataclasses import dataclass

from trainables.common.errors import UserError
from trainables.common.escaping import decodable, printable
from trainables.data.layouts.detected_layout import list_names
from trainables.data.layouts.left_out import LeftOut, LeftOutReason
from trainables.data.tables.cell_values import in_order
from trainables.data.tables.table_rows import TableRow, TableRows

UNLABELLED = (None, "-1")
"""Labels of a split without labels; -1 is how hubs write them."""
ABSENT_NAMES = frozenset({"na", "n/a", "null", "none", "nil", "-", "?", "unknown"})
"""Labels, in lower case, that may mean that there is none."""


@dataclass(frozen=True)
class TableClasses:
    """The classes of a table, and the rows that have one."""

    names: tuple[str, ...]
    """Labels of train, in order."""
    rows: list[TableRow]
    """Rows of the splits that have labels."""
    splits: tuple[str, ...]
    """Splits that have labels."""
    left_out: tuple[LeftOut, ...]
    """Images of splits without labels."""


def find_classes(where: str, found: TableRows) -> TableClasses:
    """The classes; a split without any label is left out.

    Raises `UserError` for a split of which only some rows have a label, labels that train lacks, and numbers that are
    no classes.
    """
    by_split: dict[str, list[TableRow]] = {}
    for row in found.rows:
        by_split.setdefault(row.split, []).append(row)
    if "train" not in by_split:
        raise UserError(f"{where}: has no images of train; name those to train on")
    empty = [
        split for split, rows in by_split.items() if split != "train" and all(row.label in UNLABELLED for row in rows)
    ]
    rows = [row for row in found.rows if row.split not in empty]
    label = found.columns.described["label"]
    if unlabelled := [row for row in rows if row.label is None]:
        raise UserError(
            f"{where}: {len(unlabelled):,} of {len(rows):,} rows have no label in column {label!r}, the first of them "
            f"{printable(str(unlabelled[0].file))!r}; write their labels, or delete these rows"
        )
    names = in_order(row.label for row in by_split["train"] if row.label is not None)
    _check_known(where, names, rows)
    _check_repeated(where, label, names, len(by_split["train"]))
    left_out = [
        LeftOut(str(row.file), LeftOutReason.UNLABELLED_SPLIT, decodable(row.file.suffix.lower()))
        for split in empty
        for row in by_split[split]
    ]
    return TableClasses(tuple(names), rows, tuple(by_split.keys() - set(empty)), tuple(left_out))


def warn_of_names(names: Sequence[str]) -> list[str]:
    """Warn of classes that differ in case or spaces alone, and of names that may mean that there is no label."""
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(" ".join(name.casefold().split()), []).append(name)
    absent = [name for name in names if name.casefold() in ABSENT_NAMES]
    return [
        *(
            f"classes {list_names(same)} differ in case or spaces alone; if they are one, write one name in the table"
            for same in alike.values()
            if len(same) > 1
        ),
        *(f"label {printable(name)!r} is read as a class; where it means none, delete its rows" for name in absent),
    ]


def _check_known(where: str, names: Sequence[str], rows: Sequence[TableRow]) -> None:
    """Raise `UserError` for labels that no image of train has."""
    known = {None, *names}
    strange = in_order(row.label for row in rows if row.label is not None and row.label not in known)
    if strange:
        splits = sorted({row.split for row in rows if row.label in strange})
        raise UserError(
            f"{where}: no image of train has the label {list_names(strange)} of {' and '.join(splits)}; add images of "
            "it to train, or delete its rows"
        )


def _check_repeated(where: str, label: str, names: Sequence[str], count: int) -> None:
    """Raise `UserError` for labels that are ids or measurements rather than classes."""
    if 2 * len(names) > count and len(names) > 2:
        raise UserError(
            f"{where}: column {label!r} has {len(names):,} different values in {count:,} rows of train, so it holds no "
            "classes; give another as --label-column"
        )
