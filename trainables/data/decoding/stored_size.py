"""The size at which images are stored: all at one, or each whole at its own.

The size of a whole image is computed in whole numbers only, so that an exported graph can repeat it.
"""

import math

STORED_SIDE = 256
"""Largest stored side, in pixels: the usual resize before a 224-pixel crop."""
MIN_SIDE = 8
"""Smallest value of the longer stored side, in pixels."""
MAX_ASPECT = 4
"""Longer stored side at most, as a multiple of the largest shorter side: longer images are reduced further."""


def common_shape(sizes: set[tuple[int, int]]) -> tuple[int, int]:
    """Stored height and width for images of these sizes: their own if they share a small one, else a square.

    Images smaller than `MIN_SIDE` are enlarged, so that networks can take them.
    """
    if len(sizes) == 1:
        height, width = next(iter(sizes))
        if max(height, width) <= STORED_SIDE:
            times = math.ceil(MIN_SIDE / max(height, width))
            return height * times, width * times
    side = min(STORED_SIDE, max(MIN_SIDE, *(min(size) for size in sizes)))
    return side, side


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
