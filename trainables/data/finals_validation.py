"""Validation images of the finals: others than those that chose the finalists, so that a re-score is not optimistic.

The best of many scores on some images fits those images, and does so again from a fresh seed. Every finalist and seed
has the same split, which depends on nothing but the data's labels.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trainables.config import Frozen
from trainables.data.splits import SPLIT_SEED

HELD_BACK_FROM = 1_000
"""Images of a validation split that its owner gave from which on half of it is held back for the finals: a half then
tells accuracies of 95 % apart that differ by some 2 points."""

Rows = NDArray[np.int64]
"""Rows of a store's images, ascending."""


class FinalsValidation(Frozen):
    """What the finals are scored on."""

    source: Literal["reused", "drawn", "held back"] = "reused"
    """`drawn` from the search's training images; `held back` from a validation split that was given, as what it keeps
    apart (patients, sites) may be mixed in the training images; or the `reused` images that chose the finalists."""
    images: int = 0
    """Images; 0 if they were not counted."""
    search_images: int = 0
    """Validation images of the search; likewise."""


@dataclass(frozen=True)
class Partition:
    """Rows of train and validation by what they are for."""

    train: Rows
    """The search trains on these."""
    val: Rows
    """And is scored on these."""
    final_train: Rows
    """The finals train on these."""
    final_val: Rows
    """And are scored on these; none is in `val`, unless it is reused."""

    @classmethod
    def from_labels(cls, labels: NDArray[np.int64], train: int, source: str) -> "Partition":
        """Partition of images of these classes, of which the first `train` are the training split.

        Drawn, the finals' validation has as many images of each class as the search's has, so that both train on as
        many, too. Held back, it is the smaller half of each class.
        """
        first, second = np.arange(train), np.arange(train, len(labels))
        if source == "drawn":
            drawn = _draw(labels, first, np.bincount(labels[second], minlength=_classes(labels)))
            return cls(first, second, np.sort(np.concatenate([np.setdiff1d(first, drawn), second])), drawn)
        if source == "held back":
            held = _draw(labels, second, np.bincount(labels[second], minlength=_classes(labels)) // 2)
            return cls(first, np.setdiff1d(second, held), first, held)
        return cls(first, second, first, second)


def choose_finals_validation(labels: NDArray[np.int64], train: int, given: bool) -> FinalsValidation:
    """What the finals of a new search are scored on; `given` says whether the validation split was, or was drawn."""
    count = len(labels) - train
    source: Literal["reused", "drawn", "held back"] = "drawn"
    if given:
        source = "held back" if count >= HELD_BACK_FROM else "reused"
    found = Partition.from_labels(labels, train, source)
    if not len(found.final_val):  # classes of one image each
        source, found = "reused", Partition.from_labels(labels, train, "reused")
    return FinalsValidation(source=source, images=len(found.final_val), search_images=len(found.val))


def _draw(labels: NDArray[np.int64], rows: Rows, counts: NDArray[np.int64]) -> Rows:
    """So many images of each class from `rows`, or all there are."""
    order = rows[np.lexsort((_hash_rows(rows), labels[rows]))]
    classes, first = np.unique(labels[order], return_index=True)
    place = np.arange(len(order)) - first[np.searchsorted(classes, labels[order])]
    return np.sort(order[place < counts[labels[order]]])


def _hash_rows(rows: Rows) -> NDArray[np.uint64]:
    """A number for each row without any order: splitmix64, as a generator's stream may change with NumPy's version."""
    values = rows.astype(np.uint64) + np.uint64(SPLIT_SEED)
    with np.errstate(over="ignore"):
        values = values * np.uint64(0x9E3779B97F4A7C15)
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    scrambled: NDArray[np.uint64] = values ^ (values >> np.uint64(31))
    return scrambled


def _classes(labels: NDArray[np.int64]) -> int:
    return int(labels.max()) + 1
