"""Validation images for the finals, which differ from those that chose the finalists.

The best of many scores is optimistic on the images that chose it, also with a fresh seed. All finalists and seeds
share one split, which depends on the labels only.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trainables.config import Frozen
from trainables.data.group_draw import draw_groups, hash_numbers
from trainables.data.splits import SPLIT_SEED

HELD_BACK_FROM = 1_000
"""Size of a given validation split from which half of it is set aside for the finals: a half can then distinguish
accuracies of 95 % that differ by some 2 points."""

Rows = NDArray[np.int64]
"""Rows of a store's images, ascending."""


class FinalsValidation(Frozen):
    """The validation images of the finals."""

    source: Literal["reused", "drawn", "held back", "folds"] = "reused"
    """`drawn` from the search's training images; `held back` from a given validation split, whose groups (patients,
    sites) may differ from those of the training images; `folds`: all of the search's training images, fold by fold; or
    `reused`: the images that chose the finalists."""
    folds: int = 0
    """Number of folds; 0 without cross-validation."""
    images: int = 0
    """Number of images; 0 if they were not counted."""
    search_images: int = 0
    """Number of validation images of the search; 0 if they were not counted."""


@dataclass(frozen=True)
class Partition:
    """Rows of train and validation by purpose."""

    train: Rows
    """Training rows of the search."""
    val: Rows
    """Validation rows of the search."""
    final_train: Rows
    """Training rows of the finals."""
    final_val: Rows
    """Validation rows of the finals; disjoint from `val` unless it is reused."""

    @classmethod
    def from_labels(
        cls, labels: NDArray[np.int64], train: int, source: str, groups: NDArray[np.int64] | None = None
    ) -> "Partition":
        """Partition images of these classes and groups, of which the first `train` are the training split.

        Drawn validation images of the finals have the same class counts as the search's, so that both train on equally
        many. Images set aside of a given split are the smaller half of each class. Where there are groups, they are
        drawn whole, and the counts are as close as that allows.
        """
        first, second = np.arange(train), np.arange(train, len(labels))
        if source == "drawn":
            drawn = _draw(labels, groups, first, np.bincount(labels[second], minlength=_classes(labels)))
            return cls(first, second, np.sort(np.concatenate([np.setdiff1d(first, drawn), second])), drawn)
        if source == "held back":
            held = _draw(labels, groups, second, np.bincount(labels[second], minlength=_classes(labels)) // 2)
            return cls(first, np.setdiff1d(second, held), first, held)
        return cls(first, second, first, second)


def choose_finals_validation(
    labels: NDArray[np.int64], train: int, given: bool, groups: NDArray[np.int64] | None = None
) -> FinalsValidation:
    """Choose the validation images of a new search's finals; `given` says whether the source has a validation split."""
    count = len(labels) - train
    source: Literal["reused", "drawn", "held back"] = "drawn"
    if given:
        source = "held back" if count >= HELD_BACK_FROM else "reused"
    found = Partition.from_labels(labels, train, source, groups)
    if not len(found.final_val):  # all classes have one image, or one group
        source, found = "reused", Partition.from_labels(labels, train, "reused")
    return FinalsValidation(source=source, images=len(found.final_val), search_images=len(found.val))


def _draw(labels: NDArray[np.int64], groups: NDArray[np.int64] | None, rows: Rows, counts: NDArray[np.int64]) -> Rows:
    """Draw the given number of images of each class from `rows`, or all there are."""
    if groups is not None:
        return rows[draw_groups(labels[rows], groups[rows], counts.astype(np.float64), 1, SPLIT_SEED).drawn]
    order = rows[np.lexsort((hash_numbers(rows, SPLIT_SEED), labels[rows]))]
    classes, first = np.unique(labels[order], return_index=True)
    place = np.arange(len(order)) - first[np.searchsorted(classes, labels[order])]
    return np.sort(order[place < counts[labels[order]]])


def _classes(labels: NDArray[np.int64]) -> int:
    return int(labels.max()) + 1
