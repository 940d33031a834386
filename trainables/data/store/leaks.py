"""Images that occur in two splits, compared by their decoded pixels."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.common.escaping import write_csv
from trainables.data.splits import SplitName

LEAKED_IMAGES = "leaked-images.csv"
"""Name of the list of them, in a store and in a search's results."""
EARLIER_SPLITS: dict[SplitName, tuple[SplitName, ...]] = {"val": ("train",), "test": ("train", "val")}
"""For each split, the splits that must not hold the same images."""


@dataclass(frozen=True)
class SplitDigests:
    """Digests, rows and names of a split's images."""

    digests: NDArray[np.bytes_]
    """Digest of each image's pixels."""
    rows: NDArray[np.int64]
    """Row of each image in its source's part."""
    name_of: Callable[[int], str]
    """Name of the image of a row."""

    def name_at(self, place: int) -> str:
        """Name of an image by its position in the split."""
        return self.name_of(int(self.rows[place]))


def write_leaks(folder: Path, prints: dict[SplitName, SplitDigests]) -> int:
    """List the images of val that are also in train, and of test that are also in either; returns their number.

    Writes `leaked-images.csv` into `folder` if there are any: image, its split, the equal image, and its split.
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
    """Name and split of the image at position `place` among all splits before `split`."""
    for other in EARLIER_SPLITS[split]:
        if place < len(prints[other].rows):
            return prints[other].name_at(place), other
        place -= len(prints[other].rows)
    raise IndexError(place)
