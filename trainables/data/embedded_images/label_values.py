"""The content of a label column as text, numbers or truth values of any type that files give it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.common.errors import UserError
from trainables.data.embedded_images.embedded_table import EmbeddedTable
from trainables.data.layouts.parquet_columns import is_list, is_text_type

UNLABELLED = -1
"""Number that hubs write for a missing label."""


class LabelKind(StrEnum):
    """What a column holds."""

    TEXT = "text"
    """Names of classes."""
    NUMBER = "whole numbers"
    """Numbers of classes."""
    TRUTH = "true and false"
    """Truth values."""
    NONE = "nothing"
    """No label at all."""


@dataclass(frozen=True)
class LabelColumn:
    """The labels of some rows."""

    kind: LabelKind
    """What they are."""
    values: NDArray[Any]
    """Texts, numbers or truth values, shape (n,); None or `UNLABELLED` where there is no label."""

    def take(self, rows: NDArray[np.int64]) -> "LabelColumn":
        """The labels of these rows."""
        return LabelColumn(self.kind, self.values[rows])

    @property
    def is_missing(self) -> NDArray[np.bool_]:
        """Whether each row has no label."""
        if self.kind == LabelKind.NUMBER:
            return np.asarray(self.values == UNLABELLED)
        return np.array([value is None for value in self.values], bool)


def read_label_columns(tables: Mapping[str, EmbeddedTable], column: str) -> dict[str, LabelColumn]:
    """The labels of each table; raises `UserError` for a file whose labels are none, or of another kind."""
    first: tuple[LabelKind, Path] | None = None
    found = {}
    for name, table in tables.items():
        pieces = []
        for file, content in zip(table.files, table.read(column), strict=True):
            piece = read_labels(f"--data: {str(file)!r}: column {column!r}", content)
            if piece.kind != LabelKind.NONE:
                first = first or (piece.kind, file)
                if piece.kind != first[0]:
                    raise UserError(
                        f"--data: column {column!r} holds {first[0]} in {str(first[1])!r}, and {piece.kind} in "
                        f"{str(file)!r}; the files are of different versions: download them anew"
                    )
            pieces.append(piece)
        found[name] = pieces
    kind = first[0] if first else LabelKind.NONE
    return {name: _join(pieces, kind) for name, pieces in found.items()}


def read_labels(where: str, column: Any) -> LabelColumn:
    """The labels in an Arrow array in chunks; raises `UserError`, which begins with `where`, for anything else."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if is_list(kind):
        column = _flatten(where, column)
        kind = column.type
    if column.null_count == len(column):
        return LabelColumn(LabelKind.NONE, np.full(len(column), None, object))
    if is_text_type(kind):
        return LabelColumn(LabelKind.TEXT, np.array(column.to_pylist(), object))
    if pa.types.is_boolean(kind):
        return LabelColumn(LabelKind.TRUTH, np.array(column.to_pylist(), object))
    if pa.types.is_floating(kind):
        return LabelColumn(LabelKind.NUMBER, _whole(where, column))
    if pa.types.is_integer(kind):
        return LabelColumn(LabelKind.NUMBER, column.cast(pa.int64()).fill_null(UNLABELLED).to_numpy())
    raise UserError(f"{where} holds {kind}, not labels; give another column with --label-column")


def _flatten(where: str, column: Any) -> Any:
    """The items of lists with one item each."""
    import pyarrow as pa

    lists = column.to_pylist()
    for row, found in enumerate(lists):
        if found is not None and len(found) != 1:
            raise UserError(
                f"{where} holds {len(found)} labels in row {row:,}; an image has one class here: keep the rows with "
                "one label, or give another column with --label-column"
            )
    return pa.chunked_array(
        [pa.array([None if found is None else found[0] for found in lists], column.type.value_type)]
    )


def _whole(where: str, column: Any) -> NDArray[np.int64]:
    numbers: NDArray[np.float64] = column.fill_null(np.nan).to_numpy().astype(np.float64)
    missing = np.isnan(numbers)
    fractions = numbers[~missing & (numbers != np.round(numbers))]
    if len(fractions) or np.isinf(numbers).any():
        shown = fractions[0] if len(fractions) else np.inf
        raise UserError(
            f"{where} holds numbers such as {shown:g}, which are measurements, not classes; give another column with "
            "--label-column, or write a column with classes"
        )
    return np.where(missing, UNLABELLED, numbers).astype(np.int64)


def _join(pieces: Sequence[LabelColumn], kind: LabelKind) -> LabelColumn:
    """Labels of several files, of which some may have none."""
    if kind != LabelKind.NUMBER:
        return LabelColumn(kind, np.concatenate([np.zeros(0, object), *(piece.values for piece in pieces)]))
    values = [
        np.full(len(piece.values), UNLABELLED) if piece.kind == LabelKind.NONE else piece.values for piece in pieces
    ]
    return LabelColumn(kind, np.concatenate([np.zeros(0, np.int64), *values]).astype(np.int64))
