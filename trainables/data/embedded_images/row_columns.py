"""The columns of a table of images that say each row's split, group and weight."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.common.errors import UserError
from trainables.data.embedded_images.embedded_table import EmbeddedTable
from trainables.data.layouts.detected_layout import list_names
from trainables.data.layouts.split_names import read_split_name

SPLITS = ("train", "val", "test")


def read_splits(where: str, table: EmbeddedTable, column: str) -> dict[str, NDArray[np.int64]]:
    """Rows of each split by a column with the splits' names.

    Raises `UserError` for rows without a split, names that mean none, and a table without rows of train.
    """
    texts = _read_texts(table, column)
    names = sorted({text for text in texts if text is not None})
    meant = {name: read for name in names if (read := read_split_name(name))}
    if unknown := [name for name in names if name not in meant]:
        raise UserError(
            f"{where}: --split-column {column!r} holds {list_names(unknown)}, which means no split; write train, val "
            "or test, or delete these rows"
        )
    if None in texts:
        raise UserError(
            f"{where}: --split-column {column!r} is empty in row {texts.index(None):,}; write train, val or test"
        )
    rows = {
        split: np.flatnonzero([meant[text].split == split for text in texts if text is not None]) for split in SPLITS
    }
    if not len(rows["train"]):
        raise UserError(f"{where}: --split-column {column!r} has no row of train, only {list_names(names)}")
    return {split: found for split, found in rows.items() if len(found)}


def read_groups(
    tables: Mapping[str, EmbeddedTable], column: str
) -> tuple[dict[str, NDArray[np.int64]], tuple[str, ...]]:
    """The number of each row's group over all tables, -1 for none, by table; and the groups' names."""
    texts = {name: _read_texts(table, column) for name, table in tables.items()}
    names = sorted({text for found in texts.values() for text in found if text is not None})
    number: dict[str | None, int] = {name: i for i, name in enumerate(names)}
    return {name: np.array([number.get(t, -1) for t in found], np.int64) for name, found in texts.items()}, tuple(names)


def read_weights(where: str, tables: Mapping[str, EmbeddedTable], column: str) -> dict[str, NDArray[np.float32]]:
    """The weight of each row; raises `UserError` for one that is no number of at least 0, and where all are 0."""
    found = {}
    for name, table in tables.items():
        values = _read_values(table, column)
        for row, value in enumerate(values):
            if isinstance(value, str) or value is None or not 0 <= value < float("inf"):
                raise UserError(
                    f"{where}: --weight-column {column!r} holds {value!r} in row {row:,} of {name}; a weight is a "
                    "number of at least 0"
                )
        found[name] = np.array(values, np.float32)
    if not found["train"].any():
        raise UserError(f"{where}: --weight-column {column!r} is 0 in all rows of train; give some of them more")
    return found


def _read_values(table: EmbeddedTable, column: str) -> list[Any]:
    return [value for content in table.read(column) for value in content.to_pylist()]


def _read_texts(table: EmbeddedTable, column: str) -> list[str | None]:
    """Cells as text, None for empty ones."""
    return [None if value is None or value == "" else str(value) for value in _read_values(table, column)]
