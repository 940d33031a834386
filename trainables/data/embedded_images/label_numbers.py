"""The classes of a table of images, and the label of each row as the number of its class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.common.errors import UserError
from trainables.common.escaping import decodable
from trainables.data.embedded_images.label_values import UNLABELLED, LabelColumn, LabelKind
from trainables.data.layouts.detected_layout import list_names
from trainables.data.layouts.parquet_columns import has_label_name
from trainables.data.tables.table_classes import warn_of_names

Labels = NDArray[np.int64]


@dataclass(frozen=True)
class TableLabels:
    """The classes, and the labels of each part."""

    classes: tuple[str, ...]
    """Class names, in label order."""
    labels: dict[str, Labels]
    """Labels of each part that has any; -1 for a missing label."""
    unlabelled: tuple[str, ...]
    """Parts without any label."""
    warnings: tuple[str, ...] = ()
    """Doubts, a line each."""


def find_labels(where: str, column: str, parts: Mapping[str, LabelColumn], told: Sequence[str] | None) -> TableLabels:
    """Number the labels of all parts; `told` are the names of numbers in the files' metadata.

    Raises `UserError` for ids or measurements in place of labels, rows without a label, and labels that train lacks.
    """
    empty = tuple(
        part for part, found in parts.items() if part != "train" and len(found.values) and found.is_missing.all()
    )
    kept = {part: found for part, found in parts.items() if part not in empty}
    if not len(kept["train"].values):
        raise UserError(f"{where}: train has no rows")
    if kept["train"].is_missing.all():
        raise UserError(f"{where}: column {column!r} has no label in train; give another with --label-column")
    _check_repeated(where, column, kept["train"])
    signs = told is None and set(kept["train"].values.tolist()) == {-1, 1}
    if not signs:
        _check_complete(where, column, kept)
    if kept["train"].kind == LabelKind.NUMBER and told is not None:
        return _keep_names(where, column, kept, told, empty)
    values = sorted(set(kept["train"].values.tolist()))
    _check_known(where, values, kept)
    number = {value: label for label, value in enumerate(values)}
    labels = {part: np.array([number[v] for v in found.values.tolist()], np.int64) for part, found in kept.items()}
    names = tuple(decodable(str(value)) for value in values)
    return TableLabels(names, labels, empty, tuple(warn_of_names(names)))


def _keep_names(
    where: str, column: str, parts: Mapping[str, LabelColumn], told: Sequence[str], empty: tuple[str, ...]
) -> TableLabels:
    """Labels by the names in the metadata; names of which there is no image anywhere are left out, with a warning."""
    names = [decodable(str(name)) for name in told]
    for part, found in parts.items():
        if len(wrong := found.values[(found.values < 0) | (found.values >= len(names))]):
            raise UserError(
                f"{where}: {len(wrong):,} rows of {part} have labels such as {wrong[0]} in column {column!r}, of which "
                f"the metadata names 0 to {len(names) - 1}; correct them, or delete the rows"
            )
    used = np.unique(np.concatenate([found.values for found in parts.values()]))
    if len(used) == len(names):
        return TableLabels(tuple(names), {part: found.values for part, found in parts.items()}, empty)
    unused = [name for label, name in enumerate(names) if label not in used]
    warning = f"no image of {len(unused):,} of {len(names):,} classes in the metadata, such as {list_names(unused[:1])}"
    labels = {part: np.searchsorted(used, found.values) for part, found in parts.items()}
    return TableLabels(tuple(names[label] for label in used.tolist()), labels, empty, (warning,))


def _check_complete(where: str, column: str, parts: Mapping[str, LabelColumn]) -> None:
    """Raise `UserError` for rows without a label."""
    for part, found in parts.items():
        if len(rows := np.flatnonzero(found.is_missing)):
            mark = f" (empty, or {UNLABELLED})" if found.kind == LabelKind.NUMBER else ""
            raise UserError(
                f"{where}: {len(rows):,} of {len(found.values):,} rows of {part} have no label in column {column!r}"
                f"{mark}, the first of them row {rows[0]:,}; write their labels, or delete these rows"
            )


def _check_known(where: str, values: list[Any], parts: Mapping[str, LabelColumn]) -> None:
    """Raise `UserError` for labels that no image of train has."""
    for part, found in parts.items():
        if strange := sorted({*found.values.tolist()} - {*values}):
            raise UserError(
                f"{where}: no image of train has the label {list_names([*map(str, strange)])} of {part}; add images "
                "of it to train, or delete its rows"
            )


def _check_repeated(where: str, column: str, train: LabelColumn) -> None:
    """Raise `UserError` for numbers that are ids or measurements rather than labels."""
    count, rows = len({*train.values.tolist()}), len(train.values)
    if train.kind == LabelKind.NUMBER and not has_label_name(column) and 2 * count > rows:
        raise UserError(
            f"{where}: column {column!r} has {count:,} different values in {rows:,} rows, so it is no label; give the "
            "column with labels as --label-column"
        )
