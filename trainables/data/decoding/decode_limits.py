"""Limits on decoding one image: pixels, bytes and memory."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from trainables.data.decoding.bad_images import BadImageCause, BadImageError
from trainables.data.decoding.decode_cost import DecodeCost

MAX_PIXELS = 100_000_000
"""Maximum pixels of an image by its header; more is treated as a decompression bomb and not decoded."""
MAX_REDUCED_PIXELS = 250_000_000
"""Maximum pixels of a JPEG with one scan, which is decoded at reduced size: phones have up to 200 megapixels."""
MAX_FILE_BYTES = 1_000_000_000
"""Maximum bytes of an image file: more than 100 megapixels take in any format."""
FILE_BYTES_PER_PIXEL = MAX_FILE_BYTES // MAX_PIXELS
MAX_SCANS = 20
"""Maximum scans of a JPEG of maximum size: a progressive file of some megabytes could take hours to decode."""


@dataclass(frozen=True)
class DecodeLimits:
    """Limits on decoding one image."""

    pixels: int = MAX_PIXELS
    """Maximum decoded pixels; of a JPEG with one scan, after it was reduced."""
    reserve: Callable[[DecodeCost], AbstractContextManager[None]] = lambda _cost: nullcontext()
    """Reserves the resources of a decode while the context is open; may block."""
    reduced_pixels: int = MAX_REDUCED_PIXELS
    """Maximum pixels of a JPEG with one scan, before it is reduced."""
    file_bytes: int = MAX_FILE_BYTES
    """Maximum bytes of a file."""
    option: str = ""
    """Option that sets `pixels`, for the error; empty: none."""

    @property
    def scanned_pixels(self) -> int:
        """Maximum pixels of a JPEG times its scans."""
        return max(MAX_SCANS * self.pixels, self.reduced_pixels)

    def too_many_pixels(self, name: str, count: int = 0) -> BadImageError:
        """The error of an image with more pixels; `count` is their number, or 0 if it is not known."""
        allowed = f", or a true picture, which {self.option} {count} allows" if self.option and count else ""
        return BadImageError(
            name, BadImageCause.TOO_LARGE, f"more than {self.pixels:,} pixels: a decompression bomb{allowed}"
        )


DEFAULT_LIMITS = DecodeLimits()


def training_limits(max_pixels: int) -> DecodeLimits:
    """Limits for a search's own data by its option `--max-pixels`, which raises or lowers all of them."""
    reduced = max(MAX_REDUCED_PIXELS, max_pixels) if max_pixels >= MAX_PIXELS else max_pixels
    return DecodeLimits(
        max_pixels,
        reduced_pixels=reduced,
        file_bytes=max(MAX_FILE_BYTES, FILE_BYTES_PER_PIXEL * max_pixels),
        option="--max-pixels",
    )
