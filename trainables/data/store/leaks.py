"""Images that occur in two splits, by their decoded pixels: a test on what was trained on tests little."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.common.escaping import write_csv
from trainables.data.splits import SplitName

LEAKED_IMAGES = "leaked-images.csv"
"""The list of them, in a store and in a search's results."""
EARLIER_SPLITS: dict[SplitName, tuple[SplitName, ...]] = {"val": ("train",), "test": ("train", "val")}
"""Splits that each split's images should not have come from."""


@dataclass(frozen=True)
class SplitDigests:
    """What is compared of a split."""

    digests: NDArray[np.bytes_]
    """Of each image's pixels."""
    rows: NDArray[np.int64]
    """Each image's row in its source's part."""
    name_of: Callable[[int], str]
    """What the image of a row is called."""

    def name_at(self, place: int) -> str:
        """What an image is called, by its place in the split."""
        return self.name_of(int(self.rows[place]))


def write_leaks(folder: Path, prints: dict[SplitName, SplitDigests]) -> int:
    """List the images of val that are also in train, and of test that are also in either; returns how many.

    Writes `leaked-images.csv` into `folder` if there are any: image, its split, an equal image, the split of that.
    """
    rows = [row for split in EARLIER_SPLITS for row in _find_leaks(split, prints)]
    if rows:
        with (folder / LEAKED_IMAGES).open("w", newline="", encoding="utf-8") as file:
            write_csv(file, [("image", "split", "same_as", "its_split"), *rows])
    return len(rows)


def _find_leaks(split: SplitName, prints: dict[SplitName, SplitDigests]) -> list[tuple[str, str, str, str]]:
    known = np.concatenate([prints[other].digests for other in EARLIER_SPLITS[split]])
    order = np.argsort(known, kind="stable")
    wanted = prints[split].digests
    same = order[np.minimum(np.searchsorted(known, wanted, sorter=order), len(known) - 1)]
    hits = np.flatnonzero(known[same] == wanted)
    return [(prints[split].name_at(i), split, *_locate(split, int(same[i]), prints)) for i in hits.tolist()]


def _locate(split: SplitName, place: int, prints: dict[SplitName, SplitDigests]) -> tuple[str, str]:
    """Name and split of the image at `place` among all of those before `split`."""
    for other in EARLIER_SPLITS[split]:
        if place < len(prints[other].rows):
            return prints[other].name_at(place), other
        place -= len(prints[other].rows)
    raise IndexError(place)
