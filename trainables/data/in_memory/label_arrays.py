"""Labels in memory: class numbers or names, one for each image."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.common.errors import UserError, suggest
from trainables.data.in_memory.pixel_arrays import to_numpy

ONE_HOT = "labels are one number or name for each image; of one-hot rows, give y.argmax(axis=1)"


def to_labels(labels: Any, count: int, classes: Sequence[str], what: str) -> NDArray[Any]:
    """Labels of `count` images: int64 numbers, or texts; numbers where `classes` name them.

    Raises `UserError`, beginning with `what`, for labels of another type, number or form, and for a name that is none
    of the `classes`, or a number that has none.
    """
    found = to_numpy(labels) if hasattr(labels, "shape") else _from_list([_plain(label) for label in labels], what)
    if found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]
    if found.dtype == object and all(isinstance(label, str) for label in found.reshape(-1)):
        found = found.astype(str)
    said = f"{what}: {found.dtype} {found.shape}"
    if found.ndim != 1:
        raise UserError(f"{said}; {ONE_HOT}")
    if len(found) != count:
        raise UserError(f"{said}, for {count:,} images; give one label for each image")
    if found.dtype.kind not in "iubU":
        raise UserError(f"{said}; labels are whole numbers or text: give, say, y.astype('int64')")
    if found.dtype.kind != "U":
        found = found.astype(np.int64)
    return number_labels(found, classes, what) if len(classes) else found


def number_labels(labels: NDArray[Any], classes: Sequence[str], what: str) -> NDArray[np.int64]:
    """Labels (n,), numbers or names, as numbers of `classes`; raises `UserError` for one that is none."""
    if labels.dtype.kind != "U":
        wrong = labels[(labels < 0) | (labels >= len(classes))]
        if len(wrong):
            raise UserError(f"{what}: {int(wrong[0])} is the number of no class; there are {len(classes)}, from 0")
        return labels.astype(np.int64)
    numbers = {name: number for number, name in enumerate(classes)}
    for name in np.unique(labels).tolist():
        if name not in numbers:
            raise UserError(f"{what}: {name!r} is none of the {len(classes)} classes{suggest(name, classes)}")
    return np.array([numbers[name] for name in labels.tolist()], np.int64)


def _from_list(labels: list[Any], what: str) -> NDArray[Any]:
    named = [isinstance(label, str) for label in labels]
    if any(named) and not all(named):
        raise UserError(f"{what}: are of several types; give numbers alone, or names alone")
    return np.array(labels)


def _plain(label: Any) -> Any:
    """A label of a list: a tensor or array without axes is a number."""
    return label.item() if hasattr(label, "item") and getattr(label, "ndim", 1) == 0 else label
