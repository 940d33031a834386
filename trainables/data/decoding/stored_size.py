"""The size at which images are stored: all at one, or each whole at its own.

The size of a whole image is computed in whole numbers only, so that an exported graph can repeat it.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass

STORED_SIDE = 256
"""Largest stored side, in pixels: the usual resize before a 224-pixel crop."""
MIN_SIDE = 8
"""Smallest value of the longer stored side, in pixels."""
MAX_ASPECT = 4
"""Longer stored side at most, as a multiple of the largest shorter side: longer images are reduced further."""


@dataclass(frozen=True)
class WholeSizes:
    """How images of different sizes are stored: each whole, at its `stored_size`."""

    side: int
    """Shorter side of an image, in pixels, at most."""
    mean_pixels: int
    """Stored pixels of an image, on average, as far as sizes are known before decoding."""


@dataclass(frozen=True)
class StoredShape:
    """Size and channels of the stored images of a data set."""

    height: int
    """Height of all images in pixels; of whole ones, the largest shorter side that is known."""
    width: int
    """Width of all images in pixels; of whole ones, the same as `height`."""
    channels: int
    """1 for grey images, 3 for RGB."""
    whole: WholeSizes | None = None
    """How images are stored whole; None: all have this height and width."""


def choose_shape(
    sizes: Collection[tuple[int, int]], channels: int, side: int = 0, keep_aspect: bool = False
) -> StoredShape:
    """How to store images of these heights and widths: small ones of one size as they are, others as asked for.

    Others are stored whole, or cut to the centre square unless `keep_aspect`. Their shorter side is `side` at most, or
    `STORED_SIDE` for 0.
    """
    side, different = side or STORED_SIDE, set(sizes)
    if not keep_aspect or (len(different) == 1 and max(next(iter(different))) <= side):
        return StoredShape(*common_shape(different, side), channels)
    stored = {size: stored_size(*size, side) for size in different}
    largest = max(MIN_SIDE, *(min(size) for size in stored.values()))
    pixels = sum(stored[size][0] * stored[size][1] for size in sizes)
    return StoredShape(largest, largest, channels, WholeSizes(side, -(-pixels // len(sizes))))


def common_shape(sizes: set[tuple[int, int]], side: int = STORED_SIDE) -> tuple[int, int]:
    """Stored height and width for images of these sizes: their own if they share a small one, else a square.

    Images smaller than `MIN_SIDE` are enlarged, so that networks can take them.
    """
    if len(sizes) == 1:
        height, width = next(iter(sizes))
        if max(height, width) <= side:
            times = math.ceil(MIN_SIDE / max(height, width))
            return height * times, width * times
    square = min(side, max(MIN_SIDE, *(min(size) for size in sizes)))
    return square, square


def stored_size(height: int, width: int, side: int) -> tuple[int, int]:
    """Stored height and width, in pixels, of an image whose shorter side is reduced to `side` at most.

    The longer side is in proportion, and at most `MAX_ASPECT` times `side`. Only images whose longer side is below
    `MIN_SIDE` are enlarged, by a whole factor.
    """
    short, long = min(height, width), max(height, width)
    short_new = min(short, side)
    long_new = _in_proportion(long, short_new, short)
    if long_new > MAX_ASPECT * side:
        long_new = MAX_ASPECT * side
        short_new = max(1, _in_proportion(short, long_new, long))
    times = -(-MIN_SIDE // long_new) if long_new < MIN_SIDE else 1
    short_new, long_new = short_new * times, long_new * times
    return (short_new, long_new) if height <= width else (long_new, short_new)


def _in_proportion(length: int, new: int, old: int) -> int:
    """`length * new / old`, rounded half up."""
    return (length * new + old // 2) // old
