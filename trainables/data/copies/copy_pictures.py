"""Pictures of copies beside what they are copies of, stored with the list, so that a report needs no data."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Base64Bytes

from trainables.common.errors import DamagedError
from trainables.common.escaping import printable
from trainables.config import Frozen
from trainables.data.copies.leaked_images import LeakedImage
from trainables.data.splits import SplitName
from trainables.data.thumbnails import PNG_START, encode_png
from trainables.storage.files import read_record

COPY_PICTURES = "leaked-images.json"
"""Name of the file, in a store and in a search's results."""
MAX_PAIRS = 16
"""Pairs that are pictured, at most: half of them near copies, if there are as many."""
GAP = 4
"""Pixels between both images."""


class CopyPicture(Frozen):
    """A held-out image on the left, and its copy on the right."""

    image: str
    """Name of the held-out image."""
    split: str
    """Its split."""
    same_as: str
    """Name of the copy."""
    its_split: str
    """Split of the copy."""
    distance: int
    """Bits in which their perceptual hashes differ; 0 for equal pixels."""
    is_equal: bool
    """Whether all pixels are equal."""
    is_left_out: bool
    """Whether the copy was left out."""
    png: Base64Bytes
    """PNG file."""


class CopyPictures(Frozen):
    """The pairs that are pictured."""

    pairs: tuple[CopyPicture, ...]
    """Near copies, the least alike first, then equal images."""


def picture_copies(
    found: Sequence[LeakedImage], image_at: Callable[[SplitName, int], NDArray[np.uint8]]
) -> CopyPictures:
    """Picture some of the pairs; `image_at` gives stored pixels by split and place."""
    near = sorted((each for each in found if not each.is_equal), key=lambda each: -each.distance)
    equal = [each for each in found if each.is_equal]
    near = near[: max(MAX_PAIRS // 2, MAX_PAIRS - len(equal))]
    return CopyPictures(
        pairs=tuple(
            CopyPicture.model_construct(
                image=printable(each.image), split=each.split, same_as=printable(each.same_as),
                its_split=each.its_split, distance=each.distance, is_equal=each.is_equal, is_left_out=each.is_left_out,
                png=_join(image_at(each.split, each.place), image_at(each.its_split, each.its_place)),
            )
            for each in [*near, *equal][:MAX_PAIRS]
        )
    )  # fmt: skip


def write_copy_pictures(folder: Path, found: CopyPictures) -> None:
    """Write the file into `folder`, if there are any pictures."""
    if found.pairs:
        (folder / COPY_PICTURES).write_text(found.model_dump_json(), encoding="utf-8")


def read_copy_pictures(folder: Path) -> tuple[CopyPicture, ...]:
    """The pictures in `folder`; none where there is no file. Raises `DamagedError`, or OSError."""
    try:
        found = read_record(folder / COPY_PICTURES, CopyPictures)
    except FileNotFoundError:
        return ()
    for place, pair in enumerate(found.pairs):
        if not pair.png.startswith(PNG_START):
            raise DamagedError(folder / COPY_PICTURES, f"pairs.{place}.png: is no PNG file")
    return found.pairs


def _join(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> bytes:
    """Thumbnails of two images side by side, as PNG."""
    left, right = (Image.open(io.BytesIO(encode_png(image))).convert("RGB") for image in (first, second))
    both = Image.new("RGB", (left.width + GAP + right.width, max(left.height, right.height)), (255, 255, 255))
    both.paste(left, (0, 0))
    both.paste(right, (left.width + GAP, 0))
    out = io.BytesIO()
    both.save(out, "PNG", optimize=True)
    return out.getvalue()
