"""Decodes image files to arrays of one shape, within limits on pixels, bytes and time."""

import io
import stat
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from trainables.common.errors import UserError
from trainables.data.decoding.bad_images import BadImageCause, BadImageError
from trainables.data.decoding.decode_cost import JPEG_FORMATS, DecodeCost, count_scans, is_progressive, plan_decode
from trainables.data.decoding.pixels import Image, convert_picture, is_grey, read_orientation
from trainables.data.layouts.image_files import HEAD_BYTES, describe_content

MAX_PIXELS = 100_000_000
"""Maximum pixels of an image by its header; more is treated as a decompression bomb and not decoded."""
MAX_FILE_BYTES = 1_000_000_000
"""Maximum bytes of an image file: more than 100 megapixels take in any format."""
MAX_STREAM_BYTES = 256_000_000
"""Maximum bytes of an image from a pipe or device: what 85 megapixels of RGB take."""
STREAM_READ_BYTES = 1_000_000
"""Bytes of a stream that are read at a time."""
MAX_REDUCED_PIXELS = 250_000_000
"""Maximum pixels of a JPEG with one scan, which is decoded at reduced size: phones have up to 200 megapixels."""
MAX_SCANS = 20
"""Maximum scans of a JPEG of maximum size: a progressive file of some megabytes could take hours to decode."""
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "JPEG2000", "AVIF")
"""Formats that are decoded, detected by content; not PostScript, for which Pillow would run Ghostscript."""

# Pillow only warns above its limit; here it raises, above the largest of these limits.
Pillow.MAX_IMAGE_PIXELS = MAX_REDUCED_PIXELS
warnings.filterwarnings("error", category=Pillow.DecompressionBombWarning)
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")  # about oddities of files that do decode


@dataclass(frozen=True)
class DecodeLimits:
    """Limits on decoding one image."""

    pixels: int = MAX_PIXELS
    """Maximum decoded pixels; of a JPEG with one scan, after it was reduced."""
    reserve: Callable[[DecodeCost], AbstractContextManager[None]] = lambda _cost: nullcontext()
    """Reserves the resources of a decode while the context is open; may block."""


TRAINING_LIMITS = DecodeLimits()
"""Limits for a search's own data."""


class EncodedImages(Protocol):
    """Encoded images of a part, by row."""

    def __call__(self, row: int) -> bytes | Path:
        """Encoded content of an image, or its file."""
        ...

    def name(self, row: int) -> str:
        """Name of an image in messages."""
        ...


def read_image_header(content: bytes | Path, name: str) -> tuple[int, int, bool]:
    """Height and width (upright) and greyness of an image, read from its header.

    Raises `BadImageError` if it is no image, or too large; `UserError` if the file cannot be read.
    """
    if isinstance(content, Path):
        try:
            with content.open("rb") as file:
                return _head(file, name)
        except (BadImageError, OSError):
            content = _read(content, name)  # reading all of it distinguishes a bad image from a failing disk
    return _head(io.BytesIO(content), name)


def decode(
    content: bytes | Path, name: str, shape: tuple[int, int, int], limits: DecodeLimits = TRAINING_LIMITS
) -> Image:
    """Decode an image as uint8 (height, width, channels): shorter side resized to fit (bicubic), centre cropped.

    A JPEG of more than `REDUCED_FROM` pixels is decoded at a fraction of its size. The result is upright, the first of
    several frames, with transparent parts on white, and 16 bits scaled to 8. Raises `BadImageError` for content that
    cannot be decoded, and `UserError` if the file cannot be read or memory runs out.
    """
    height, width, channels = shape
    content = _read(content, name) if isinstance(content, Path) else content
    with _opened(io.BytesIO(content), name, limits.pixels) as picture:
        full = picture.width * picture.height
        if picture.format in JPEG_FORMATS and count_scans(content) * full > max(
            MAX_SCANS * limits.pixels, MAX_REDUCED_PIXELS
        ):
            raise BadImageError(
                name,
                BadImageCause.TOO_LARGE,
                f"has {count_scans(content):,} scans, which would take too long to decode",
            )
        cost = plan_decode(picture, content, max(height, width))
        if cost.pixels > limits.pixels:
            raise _too_many_pixels(name, limits.pixels)
        with limits.reserve(cost):
            picture.load()
            pixels = _fit(convert_picture(picture, channels), height, width)
    return np.asarray(pixels, dtype=np.uint8).reshape(height, width, channels)


def resize(image: Image, height: int, width: int) -> Image:
    """Resize and crop a decoded image (height x width x channels) as `decode` does."""
    if image.shape[:2] == (height, width):
        return image
    picture = Pillow.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    return np.asarray(_fit(picture, height, width), dtype=np.uint8).reshape(height, width, image.shape[2])


@dataclass(frozen=True)
class Decoder:
    """Decodes image i of a part; picklable if `contents` is."""

    contents: EncodedImages
    """The part's encoded images."""
    shape: tuple[int, int, int]
    """Stored height and width in pixels, and channels."""

    def __call__(self, i: int) -> Image:
        """Decode image i as uint8, of `shape`; raises as `decode` does."""
        return decode(self.contents(i), self.contents.name(i), self.shape)


def _head(file: BinaryIO, name: str) -> tuple[int, int, bool]:
    with _opened(file, name) as picture:
        height, width = picture.height, picture.width
        if read_orientation(picture) >= 5 and picture.format != "TIFF":  # Pillow swaps those of a TIFF itself
            height, width = width, height
        return height, width, is_grey(picture)


def _fit(picture: Pillow.Image, height: int, width: int) -> Pillow.Image:
    if picture.size == (width, height):
        return picture
    # Crops while resizing: a whole picture of 1 x 100,000 pixels would become huge.
    scale = max(height / picture.height, width / picture.width)
    across, down = min(picture.width, width / scale), min(picture.height, height / scale)
    left, top = (picture.width - across) / 2, (picture.height - down) / 2
    return picture.resize((width, height), Pillow.Resampling.BICUBIC, box=(left, top, left + across, top + down))


def _read(file: Path, name: str) -> bytes:
    try:
        found = file.stat()
        if found.st_size > MAX_FILE_BYTES:
            raise BadImageError(
                name, BadImageCause.TOO_LARGE, f"has {found.st_size:,} bytes, more than {MAX_FILE_BYTES:,}"
            )
        with file.open("rb") as opened:
            if stat.S_ISREG(found.st_mode):
                return read_stream(opened, name, MAX_FILE_BYTES, first=found.st_size + 1)
            return read_stream(opened, name)
    except OSError as error:  # not an error of the image, and may pass
        raise UserError(f"image {name}: cannot be read ({error.strerror or error})") from error


def read_stream(stream: BinaryIO, name: str, limit: int = MAX_STREAM_BYTES, first: int = STREAM_READ_BYTES) -> bytes:
    """Read an image of at most `limit` bytes from a stream; `first` is the size of the first read.

    Raises `BadImageError` for more bytes, and OSError.
    """
    pieces, size = [stream.read(first)], 0
    while pieces[-1]:
        size += len(pieces[-1])
        if size > limit:
            raise BadImageError(name, BadImageCause.TOO_LARGE, f"too large: more than {limit:,} bytes")
        pieces.append(stream.read(STREAM_READ_BYTES))
    return b"".join(pieces)


@contextmanager
def _opened(file: BinaryIO, name: str, pixels: int = MAX_PIXELS) -> Iterator[Pillow.Image]:
    """Open an image without decoding it, with at most `pixels` pixels unless it will be reduced.

    Errors of the image inside the block are raised as `BadImageError`.
    """
    try:
        with Pillow.open(file, formats=FORMATS) as picture:
            reduced = picture.format in JPEG_FORMATS and not is_progressive(picture)
            if picture.width * picture.height > (MAX_REDUCED_PIXELS if reduced else pixels):
                raise Pillow.DecompressionBombError
            yield picture
    except UserError:
        raise
    except MemoryError as error:
        raise UserError(f"image {name}: not enough memory to decode it") from error
    except (Pillow.DecompressionBombError, Pillow.DecompressionBombWarning) as error:
        raise _too_many_pixels(name, pixels) from error
    except UnidentifiedImageError as error:
        file.seek(0)
        head = file.read(HEAD_BYTES)
        found = describe_content(head)
        cause = BadImageCause.OTHER_CONTENT if found else BadImageCause.NO_IMAGE
        raise BadImageError(name, cause if head else BadImageCause.EMPTY, found) from error
    except Exception as error:  # Pillow's readers raise all kinds of exceptions for damaged content
        raise BadImageError(
            name, BadImageCause.UNDECODABLE, f"cannot be decoded: {error or type(error).__name__}"
        ) from error


def _too_many_pixels(name: str, pixels: int) -> BadImageError:
    return BadImageError(name, BadImageCause.TOO_LARGE, f"more than {pixels:,} pixels: a decompression bomb")
