"""Leaves copies of held-out images out of a store that was just decoded."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.common.errors import UserError
from trainables.data.copies.copy_pictures import picture_copies, write_copy_pictures
from trainables.data.copies.copy_summary import CopySummary, KeptReason
from trainables.data.copies.find_copies import FoundCopies, SplitImages, find_copies
from trainables.data.copies.leaked_images import write_leaked_images
from trainables.data.sources.source import RawSet
from trainables.data.splits import SplitName
from trainables.data.store.building.chunk import compute_statistics
from trainables.data.store.store_arrays import remove_rows
from trainables.data.store.stored_images import StoredImages


@dataclass(frozen=True)
class RemainingImages:
    """The images of a store without copies of held-out ones."""

    splits: Mapping[SplitName, SplitImages]
    """The images of each split."""
    summary: CopySummary
    """Numbers of the copies."""
    gone_sums: NDArray[np.int64]
    """Sum and sum of squares of each channel of the training images that left, shape 2 x channels."""
    gone_pixels: int
    """Number of pixels of these."""


def leave_out_copies(
    raw: RawSet, folder: Path, splits: Mapping[SplitName, SplitImages], kept: KeptReason
) -> RemainingImages:
    """Remove copies of held-out images from train and val in `folder`, and list them; `kept` says why they stay.

    Raises `UserError` if a class would have no training image left, or val none at all.
    """
    stored = {name: StoredImages.open(folder / name, raw.channels) for name in ("", "test")}
    train = len(splits["train"].rows)

    def image_at(split: SplitName, place: int) -> NDArray[np.uint8]:
        return stored["test"].image(place) if split == "test" else stored[""].image(place + train * (split == "val"))

    found = find_copies(splits, image_at, kept)
    rest = {split: images.without(found.leaving.get(split, np.zeros(0, np.int64))) for split, images in splits.items()}
    _check_emptied(raw, splits, rest, found)
    gone = found.leaving.get("train", np.zeros(0, np.int64)).tolist()
    sums = compute_statistics((image_at("train", place) for place in gone), {}, raw.channels).sums
    pixels = int(stored[""].sizes[gone].prod(axis=1, dtype=np.int64).sum()) if gone else 0
    rows = [place + train * (split == "val") for split, places in found.leaving.items() for place in places.tolist()]
    write_copy_pictures(folder, picture_copies(found.listed, image_at))
    remove_rows(folder, sorted(rows))
    write_leaked_images(folder, found.listed)
    return RemainingImages(rest, found.summary, sums, pixels)


def _check_emptied(
    raw: RawSet, splits: Mapping[SplitName, SplitImages], rest: Mapping[SplitName, SplitImages], found: FoundCopies
) -> None:
    """Raise `UserError` for a class, or a split, of which nothing is left."""
    remedy = "take the copies out of the held-out split, or train on them, too: --keep-copies"
    counts = np.bincount(rest["train"].labels, minlength=len(raw.classes))
    had = np.bincount(splits["train"].labels, minlength=len(raw.classes))
    if (emptied := np.flatnonzero((counts == 0) & (had > 0))).size:
        label = int(emptied[0])
        names = {splits["train"].name_of(row) for row in splits["train"].rows[splits["train"].labels == label].tolist()}
        first = next(each for each in found.listed if each.same_as in names and each.its_split == "train")
        raise UserError(
            f"--data {raw.name!r}: without copies of held-out images class {raw.classes[label]!r} has no training "
            f"image left, such as {first.same_as!r}, a copy of {first.image!r} in {first.split}; {remedy}"
        )
    if not len(rest["val"].rows):
        raise UserError(f"--data {raw.name!r}: all images of val are copies of images of test; {remedy}")
