"""Folds of cross-validation: the images that a search trained on, dealt so that each is held out once.

A fold is to the finals what the drawn validation is, as many times as there are folds: its training has all images of
train and validation but the fold's, and is scored on the fold's. The search's own validation images chose the
finalists, so they are in no fold: each training has them, and none is scored on them.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from trainables.common.errors import UserError
from trainables.common.escaping import printable
from trainables.config import Fold
from trainables.data.finals_validation import Partition, Rows
from trainables.data.group_draw import hash_numbers, number_groups
from trainables.data.splits import SPLIT_SEED
from trainables.data.store.data_summary import DataSummary

WEIGHT_SCALE = 1 << 20
"""Sum of the weights of a class's images, whole numbers, so that every machine deals the same folds."""


class FoldPartitions:
    """The partitions of a store's images by fold; each repetition is dealt once."""

    def __init__(self, partition: Partition, labels: NDArray[np.int64], groups: Rows | None) -> None:
        """Hold out images of `partition.train`, by the classes and groups of all images of the store."""
        self._whole, self._labels, self._groups = partition, labels, groups
        self._dealt: dict[tuple[int, int], Rows] = {}

    def partition(self, fold: Fold) -> Partition:
        """Rows of one fold; validation images of a group that is held out are not trained on either."""
        train, val, groups = self._whole.train, self._whole.val, self._groups
        if (key := (fold.count, fold.repeat)) not in self._dealt:
            self._dealt[key] = assign_folds(self._labels[train], *key, None if groups is None else groups[train])
        held = self._dealt[key] == fold.index
        if groups is not None:
            val = val[(groups[val] < 0) | ~np.isin(groups[val], groups[train[held]])]
        return replace(self._whole, final_train=np.concatenate([train[~held], val]), final_val=train[held])


def assign_folds(labels: NDArray[np.int64], count: int, repeat: int = 0, groups: Rows | None = None) -> Rows:
    """Fold (0 to `count` - 1) of each image, by its class in `labels` (n,) and its group in `groups` (n,).

    Groups stay whole and classes are spread evenly: the largest group first, each goes where its classes are rarest,
    the greedy way of scikit-learn's `StratifiedGroupKFold`; equal groups come in an order that depends on `repeat`.
    Without groups each image is one, which gives stratified folds whose sizes differ by one image at most.
    """
    members = _number_groups(labels, groups)
    sizes = np.bincount(members)
    by_group = np.split(np.argsort(members, kind="stable"), np.cumsum(sizes)[:-1])
    _, classes, in_class = np.unique(labels, return_inverse=True, return_counts=True)
    first_classes = classes[[rows[0] for rows in by_group]]
    order = np.lexsort((hash_numbers(np.arange(len(sizes)), SPLIT_SEED + (repeat << 40)), first_classes, -sizes))
    weights = np.maximum(WEIGHT_SCALE // in_class, 1)
    held = np.zeros((count, len(in_class)), np.int64)
    filled = np.zeros(count, np.int64)
    folds = np.empty(len(labels), np.int64)
    for group in order.tolist():
        rows = by_group[group]
        found, times = np.unique(classes[rows], return_counts=True)
        share = times * weights[found]
        # Of a sum of squares, which is least for even folds, this is what the group would add to each fold's.
        chosen = int(np.lexsort((filled, held[:, found] @ share))[0])
        held[chosen, found] += share
        filled[chosen] += len(rows)
        folds[rows] = chosen
    return folds


def check_folds(
    labels: NDArray[np.int64], count: int, repeats: int, classes: Sequence[str], groups: Rows | None = None
) -> None:
    """Raise `UserError` unless each class is in each of `count` folds, naming the most folds that this holds for."""
    reason = _find_fault(labels, count, repeats, classes, groups)
    if not reason:
        return
    fewest = min(_count_units(labels, groups).values())
    fewer = range(min(count - 1, fewest), 1, -1)
    most = next((k for k in fewer if not _find_fault(labels, k, repeats, classes, groups)), None)
    remedy = f"give --folds {most} at most" if most else "no number of folds works: leave --folds out, or add images"
    raise UserError(f"--folds {count}: {reason}; {remedy}")


def cross_validated(data: DataSummary, count: int) -> DataSummary:
    """`data` for a search whose finals are scored by cross-validation with `count` folds."""
    found = data.finals.model_copy(
        update={"source": "folds", "folds": count, "images": data.train, "search_images": data.val}
    )
    return data.model_copy(update={"finals": found})


def _find_fault(
    labels: NDArray[np.int64], count: int, repeats: int, classes: Sequence[str], groups: Rows | None
) -> str:
    """Why the images cannot be dealt so that each fold has each class; empty if they can."""
    one, what = ("image", "images") if groups is None else ("group of images", "groups of images")
    for label, units in _count_units(labels, groups).items():
        if units < count:
            found = f"{units:,} {what if units > 1 else one} to train on"
            return f"class {printable(classes[label])!r} has {found}, too few for one in each fold"
    for repeat in range(repeats):
        folds = assign_folds(labels, count, repeat, groups)
        for label in np.unique(labels).tolist():
            if len(np.unique(folds[labels == label])) < count:
                return f"the {what} of class {printable(classes[label])!r} cannot be dealt so that each fold has one"
    return ""


def _count_units(labels: NDArray[np.int64], groups: Rows | None) -> dict[int, int]:
    """Images of each class that occurs, or groups that have some."""
    return {
        label: len(np.unique(_number_groups(labels, groups)[labels == label])) for label in np.unique(labels).tolist()
    }


def _number_groups(labels: NDArray[np.int64], groups: Rows | None) -> Rows:
    """Number of each image's group from 0; without groups, each image is one."""
    return np.arange(len(labels)) if groups is None else number_groups(groups)
