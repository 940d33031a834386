"""The rows of a table, checked: the file, label, split, group and weight of each image."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from trainables.common.errors import UserError
from trainables.common.escaping import printable
from trainables.data.data_options import DataOptions
from trainables.data.decoding.bad_images import BadImage
from trainables.data.layouts.detected_layout import list_names
from trainables.data.tables.cell_values import Texts, to_texts, without_decimals
from trainables.data.tables.file_lookup import FileLookup
from trainables.data.tables.missing_files import check_named_files
from trainables.data.tables.row_splits import read_splits
from trainables.data.tables.table_columns import Columns, TableColumns, choose_columns, share_of_files

if TYPE_CHECKING:
    import pandas as pd

SPLITS = ("train", "val", "test")


MANY = 0.5
"""Share of a column's cells that name files where a table in a folder is of its images."""


@dataclass(frozen=True)
class LabelTable:
    """A table that was read, and how its cells are meant."""

    where: str
    """Begins messages about it, such as `--data 'labels.csv'`."""
    name: str
    """Its file, as it is printed."""
    frame: "pd.DataFrame"
    """Its cells, of any type."""
    files: FileLookup
    """The files that its cells name."""
    split: str = ""
    """The split that its name or folder says; empty if it says none."""

    def names_image(self, text: str) -> bool:
        """Whether a cell names an image, or several that it may mean."""
        found = self.files.find(text, self.split)
        return found.path is not None or bool(found.candidates)


@dataclass(frozen=True)
class TableRow:
    """One image of a table."""

    file: Path
    """Its file."""
    label: str | None
    """Its label; None if there is none."""
    split: str
    """train, val or test."""
    group: str | None = None
    """Its group; None if it has none."""
    weight: float = 1.0
    """Its weight."""


@dataclass(frozen=True)
class TableRows:
    """The rows of one table, or of several that are the splits of one data set."""

    columns: TableColumns
    """What the columns are for."""
    rows: list[TableRow]
    """The rows with a file that exists, each file once."""
    sources: dict[str, str]
    """The table of each split, and how it was told."""
    missing: tuple[BadImage, ...]
    """Rows that are skipped because their file cannot be used."""
    warnings: tuple[str, ...]
    """Doubts about the rows, a line each."""


def read_rows(tables: Sequence[LabelTable], options: DataOptions) -> TableRows:
    """The rows of the tables; the columns are those of the first one.

    Raises `UserError` for a column that is not sure, and for rows without a file, with two labels, or with an unusable
    split or weight.
    """
    found: list[TableRow] = []
    missing: list[BadImage] = []
    sources: dict[str, str] = {}
    columns = choose(tables[0], options)
    for table in tables:
        cells = read_cells(table)
        splits, told = read_splits(table.where, cells, columns, table.split)
        rows, bad = _table_rows(table, cells, columns, splits, options)
        found += rows
        missing += bad
        for split in dict.fromkeys(row.split for row in rows):
            sources[split] = f"{table.name}{told.format(split=split)}"
    rows, warnings = _merge_copies(tables[0].where, _with_plain_labels(found))
    ordered = {split: sources[split] for split in SPLITS if split in sources}
    return TableRows(columns, rows, ordered, tuple(missing), tuple(warnings))


def choose(table: LabelTable, options: DataOptions) -> TableColumns:
    """What the columns of a table are for; raises as `choose_columns` does."""
    cells = read_cells(table)
    if named := next((name for name in cells if name and table.names_image(name)), ""):
        raise UserError(
            f"{table.where}: has no header, its first line names the image {printable(named)!r}; put a first line with "
            "the columns' names there, such as image,label"
        )
    return choose_columns(table.where, cells, options, table.names_image)


def names_images(table: LabelTable) -> bool:
    """Whether at least half of a column's cells name images that are there."""
    return any(share_of_files(texts, table.names_image) >= MANY for texts in read_cells(table).values())


def read_cells(table: LabelTable) -> Columns:
    """The columns of a table as text; raises `UserError` for two of one name."""
    names = [str(name).strip() for name in table.frame.columns]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise UserError(
            f"{table.where}: several columns are named {list_names(twice)}; rename all but one of each name"
        )
    return {name: to_texts(table.frame.iloc[:, place]) for place, name in enumerate(names)}


def _table_rows(
    table: LabelTable, cells: Columns, columns: TableColumns, splits: list[str], options: DataOptions
) -> tuple[list[TableRow], list[BadImage]]:
    """The rows of one table whose files exist, and the others."""
    if columns.image not in cells:
        raise UserError(f"{table.where}: has no column {columns.image!r}, as the table of train has; add it")
    count = len(splits)
    labels = _read_labels(table, cells, columns) if set(columns.labels) <= set(cells) else [None] * count
    if set(columns.labels) - set(cells) and "train" in splits:
        raise UserError(f"{table.where}: has no column {columns.labels[0]!r}; add the labels of its images")
    groups = cells.get(columns.group, [None] * count) if columns.group else [None] * count
    weights = _read_weights(table.where, columns.weight, cells, count)
    labelled = [label is not None or split == "train" for label, split in zip(labels, splits, strict=True)]
    hints = [split if columns.split or table.split else "" for split in splits]
    files = check_named_files(table.where, table.files, cells[columns.image], hints, labelled, options.on_bad_image)
    rows = [
        TableRow(file, label, split, group, weight)
        for file, label, split, group, weight in zip(files.paths, labels, splits, groups, weights, strict=True)
        if file is not None
    ]
    return rows, files.bad_images


def _read_labels(table: LabelTable, cells: Columns, columns: TableColumns) -> Texts:
    """The label of each row."""
    if not columns.is_one_hot:
        return cells[columns.labels[0]]
    flags = [without_decimals(cells[name]) for name in columns.labels]
    labels: Texts = []
    for number, row in enumerate(zip(*flags, strict=True), start=1):
        ones = [name for name, text in zip(columns.labels, row, strict=True) if text in {"1", "True", "true"}]
        if len(ones) > 1:
            raise UserError(
                f"{table.where}: row {number:,} has ones in columns {list_names(ones)}; several labels an image are "
                "not learnt: keep the rows with one"
            )
        labels.append(ones[0] if ones else None)
    return labels


def _read_weights(where: str, column: str, cells: Columns, count: int) -> list[float]:
    """The weight of each row; raises `UserError` for one that is no finite number of at least 0."""
    if not column:
        return [1.0] * count
    if column not in cells:
        raise UserError(f"{where}: has no weight column {column!r}, as the table of train has; add it")
    weights = []
    for number, text in enumerate(cells[column], start=1):
        try:
            weight = float(text or "")
        except ValueError:
            weight = math.nan
        if not (math.isfinite(weight) and weight >= 0):
            raise UserError(
                f"{where}: weight column {column!r} has {printable(text or '')!r} in row {number:,}; write a finite "
                "number of at least 0"
            )
        weights.append(weight)
    return weights


def _with_plain_labels(rows: list[TableRow]) -> list[TableRow]:
    """Labels and groups without the decimals that pandas gives integers beside empty cells."""
    labels, groups = (without_decimals([getattr(row, name) for row in rows]) for name in ("label", "group"))
    return [replace(row, label=label, group=group) for row, label, group in zip(rows, labels, groups, strict=True)]


def _merge_copies(where: str, rows: list[TableRow]) -> tuple[list[TableRow], list[str]]:
    """Each file once; raises `UserError` for one that has two labels or lies in two splits."""
    known: dict[Path, TableRow] = {}
    for row in rows:
        other, image = known.setdefault(row.file, row), f"{where}: {printable(str(row.file))!r}"
        if row.label is None and row.split not in {"train", other.split}:
            continue  # a split without labels is left out anyway
        if other.label != row.label:
            said = " and ".join(
                "none" if label is None else repr(printable(label)) for label in (other.label, row.label)
            )
            raise UserError(f"{image} has two labels, {said}; keep one row of it")
        if other.split != row.split:
            raise UserError(f"{image} lies in two splits, {other.split} and {row.split}; keep one row of it")
        if (other.group, other.weight) != (row.group, row.weight):
            raise UserError(f"{image} has two rows of another group or weight; keep one row of it")
    copies = len(rows) - len(known)
    doubts = [f"{copies:,} rows name an image again, with the same label; they count once"] if copies else []
    return list(known.values()), doubts
