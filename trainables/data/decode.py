"""Decoding image files to arrays of one shape."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from trainables.data.part import Image
from trainables.errors import UserError

STORED_SIDE = 256
"""Largest stored side, in pixels: the usual evaluation resize in front of a 224-pixel crop."""


def probe(content: bytes | Path, name: str) -> tuple[int, int, bool]:
    """Height, width and greyness of an image from its header alone; raises `UserError` naming it if unreadable."""
    with _opened(content, name) as picture:
        return picture.height, picture.width, picture.mode in {"1", "L", "I", "I;16", "LA"}


def common_shape(sizes: set[tuple[int, int]]) -> tuple[int, int]:
    """Stored height and width for images of these sizes: their own if it is one and small, else a square."""
    if len(sizes) == 1:
        height, width = next(iter(sizes))
        if max(height, width) <= STORED_SIDE:
            return height, width
    side = min(STORED_SIDE, max(min(size) for size in sizes))
    return side, side


def decode(content: bytes | Path, name: str, shape: tuple[int, int, int]) -> Image:
    """One image as uint8 (height, width, channels): shorter side resized to fit (bicubic), centre cropped.

    Raises `UserError` naming the image if it cannot be read.
    """
    height, width, channels = shape
    with _opened(content, name) as picture:
        try:
            converted = picture.convert("L" if channels == 1 else "RGB")
        except (OSError, SyntaxError, ValueError) as error:
            raise UserError(f"image {name}: cannot be decoded ({error})") from error
    if converted.size != (width, height):
        scale = max(height / converted.height, width / converted.width)
        size = (max(width, round(converted.width * scale)), max(height, round(converted.height * scale)))
        resized = converted.resize(size, Pillow.Resampling.BICUBIC)
        left, top = (size[0] - width) // 2, (size[1] - height) // 2
        converted = resized.crop((left, top, left + width, top + height))
    return np.asarray(converted, dtype=np.uint8).reshape(height, width, channels)


@dataclass(frozen=True)
class Decoder:
    """Decodes image i of a part; picklable as far as `content` is."""

    content: Callable[[int], tuple[bytes | Path, str]]
    """Encoded content of image i, or its file; and its name in messages."""
    shape: tuple[int, int, int]
    """Stored height and width in pixels, and channels."""

    def __call__(self, i: int) -> Image:
        """Image i as uint8, of `shape`; raises `UserError` naming it if it cannot be read."""
        return decode(*self.content(i), self.shape)


def _opened(content: bytes | Path, name: str) -> Pillow.Image:
    try:
        return Pillow.open(io.BytesIO(content) if isinstance(content, bytes) else content)
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"image {name}: cannot be read ({error})") from error
