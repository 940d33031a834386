"""Columns of a store beside its labels, with one value an image: group and weight, where the source has them.

`groups.npy` and `weights.npy` lie beside `labels.npy` and have its order. A store without them is as it always was.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.data.sources.source import Part
from trainables.data.splits import PartRows

Column = NDArray[Any]
COLUMNS: dict[str, Column] = {"groups": np.array(-1, np.int64), "weights": np.array(1, np.float32)}
"""Each column by its name in `Part`, with the value and type of images whose part does not have it."""


@dataclass(frozen=True)
class ImageColumns:
    """The columns of some images, in stored order."""

    groups: NDArray[np.int64] | None = None
    """Number of each image's group, -1 for one that is a group of its own; None: no groups."""
    weights: NDArray[np.float32] | None = None
    """Weight of each image in losses and weighted metrics; None: 1 for all."""


def column_file(name: str) -> str:
    """Name of a column's file."""
    return f"{name}.npy"


def collect_columns(parts: Mapping[str, Part], chosen: Iterable[PartRows]) -> dict[str, Column]:
    """The columns of the `chosen` rows, one part after another: those that any part of the source has."""
    pieces = [(parts[part], rows) for part, rows in chosen]
    found = {}
    for name, default in COLUMNS.items():
        if any(getattr(part, name) is not None for part in parts.values()):
            found[name] = np.concatenate([_take(getattr(part, name), rows, default) for part, rows in pieces])
    return found


def write_columns(folder: Path, columns: Mapping[str, Column]) -> None:
    """Write the columns into `folder`, which has no others then."""
    for name in COLUMNS:
        (folder / column_file(name)).unlink(missing_ok=True)
    for name, values in columns.items():
        np.save(folder / column_file(name), values)


def load_columns(folder: Path) -> dict[str, Column]:
    """The columns in `folder`; raises OSError, ValueError or EOFError for a damaged one."""
    found = {name: np.load(folder / column_file(name)) for name in COLUMNS if (folder / column_file(name)).is_file()}
    for name, values in found.items():
        if values.dtype != COLUMNS[name].dtype or values.ndim != 1:
            raise ValueError(f"{values.dtype} {name} {values.shape}")
    return found


def hash_columns(digest: "hashlib.blake2b", folder: Path, count: int) -> None:
    """Add the columns in `folder` to a fingerprint; raises ValueError unless they have `count` values each."""
    for name, values in load_columns(folder).items():
        if len(values) != count:
            raise ValueError(f"{name} {values.shape} of {count:,} images")
        digest.update(name.encode() + values.tobytes())


def remove_from_columns(folder: Path, rows: list[int]) -> None:
    """Remove the values of `rows` from all columns in `folder`."""
    write_columns(folder, {name: np.delete(values, rows) for name, values in load_columns(folder).items()})


def _take(values: Column | None, rows: NDArray[np.int64], default: Column) -> Column:
    if values is None:
        return np.full(len(rows), default, default.dtype)
    return values[rows].astype(default.dtype)
