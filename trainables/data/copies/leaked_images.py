"""The list of images that occur in two splits: equal in all pixels, or near copies."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from trainables.common.escaping import write_csv
from trainables.data.splits import SplitName

LEAKED_IMAGES = "leaked-images.csv"
"""Name of the list, in a store and in a search's results."""
EQUAL, NEAR = "equal pixels", "near copy"
"""The kinds of copies."""
COLUMNS = ("image", "split", "same_as", "its_split", "kind", "distance", "labels", "left_out")


@dataclass(frozen=True)
class LeakedImage:
    """A held-out image, and a copy of it in an earlier split."""

    image: str
    """Name of the held-out image."""
    split: SplitName
    """Its split."""
    same_as: str
    """Name of the copy."""
    its_split: SplitName
    """Split of the copy."""
    distance: int = 0
    """Bits in which the perceptual hashes of near copies differ; 0 for equal pixels."""
    is_equal: bool = True
    """Whether all pixels are equal."""
    has_same_label: bool = True
    """Whether both have the same class."""
    is_left_out: bool = False
    """Whether the copy was left out of its split."""
    place: int = 0
    """Place of the held-out image in its split, before any left."""
    its_place: int = 0
    """Place of the copy in its split, likewise."""


def write_leaked_images(folder: Path, found: Iterable[LeakedImage]) -> None:
    """Write the list into `folder`, if there are any."""
    rows = [
        (
            each.image, each.split, each.same_as, each.its_split, EQUAL if each.is_equal else NEAR, each.distance,
            "same" if each.has_same_label else "different", "yes" if each.is_left_out else "no",
        )
        for each in found
    ]  # fmt: skip
    if rows:
        with (folder / LEAKED_IMAGES).open("w", newline="", encoding="utf-8") as file:
            write_csv(file, [COLUMNS, *rows])
