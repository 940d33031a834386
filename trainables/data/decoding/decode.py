"""Decodes image files, to one shape or whole, within limits on pixels, bytes and time."""

import io
import stat
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from trainables.common.errors import UserError
from trainables.data.decoding.bad_images import BadImageCause, BadImageError
from trainables.data.decoding.decode_cost import JPEG_FORMATS, count_scans, is_progressive, plan_decode
from trainables.data.decoding.decode_limits import (
    DEFAULT_LIMITS,
    MAX_PIXELS,
    MAX_REDUCED_PIXELS,
    DecodeLimits,
    training_limits,
)
from trainables.data.decoding.heif import with_heif
from trainables.data.decoding.pixels import Image, convert_picture, is_grey, read_orientation
from trainables.data.decoding.stored_size import StoredShape, stored_size
from trainables.data.layouts.image_files import HEAD_BYTES, describe_content
from trainables.data.loading.square_fit import resample

MAX_STREAM_BYTES = 256_000_000
"""Maximum bytes of an image from a pipe or device: what 85 megapixels of RGB take."""
STREAM_READ_BYTES = 1_000_000
"""Bytes of a stream that are read at a time."""
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "JPEG2000", "AVIF")
"""Formats that are always decoded, detected by content; not PostScript, for which Pillow would run Ghostscript."""

# Pillow only warns above its limit; here it raises, above the largest of these limits.
Pillow.MAX_IMAGE_PIXELS = MAX_REDUCED_PIXELS
warnings.filterwarnings("error", category=Pillow.DecompressionBombWarning)
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")  # about oddities of files that do decode


class EncodedImages(Protocol):
    """Encoded images of a part, by row."""

    def __call__(self, row: int) -> bytes | Path:
        """Encoded content of an image, or its file."""
        ...

    def name(self, row: int) -> str:
        """Name of an image in messages."""
        ...


def read_image_header(content: bytes | Path, name: str, limits: DecodeLimits = DEFAULT_LIMITS) -> tuple[int, int, bool]:
    """Height and width (upright) and greyness of an image, read from its header.

    Raises `BadImageError` if it is no image, or too large; `UserError` if the file cannot be read.
    """
    if isinstance(content, Path):
        try:
            with content.open("rb") as file:
                return _head(file, name, limits)
        except (BadImageError, OSError):
            # reading all of it distinguishes a bad image from a failing disk
            content = _read(content, name, limits.file_bytes)
    return _head(io.BytesIO(content), name, limits)


def decode(
    content: bytes | Path, name: str, shape: tuple[int, int, int], limits: DecodeLimits = DEFAULT_LIMITS
) -> Image:
    """Decode an image as uint8 (height, width, channels): shorter side resized to fit (bicubic), centre cropped.

    A JPEG of more than `REDUCED_FROM` pixels is decoded at a fraction of its size. The result is upright, the first of
    several frames, with transparent parts on white, and 16 bits scaled to 8. Raises `BadImageError` for content that
    cannot be decoded, and `UserError` if the file cannot be read or memory runs out.
    """
    height, width, channels = shape
    with _decoded(content, name, channels, lambda *_size: max(height, width), limits) as (picture, _size):
        return _as_array(_fit(picture, height, width))


def decode_whole(
    content: bytes | Path, name: str, side: int, channels: int, limits: DecodeLimits = DEFAULT_LIMITS
) -> Image:
    """Decode an image as `decode` does, but whole: resized (bicubic) to its `stored_size`, with nothing cropped."""

    def reduced_side(height: int, width: int) -> int:
        return min(stored_size(height, width, side))

    with _decoded(content, name, channels, reduced_side, limits) as (picture, size):
        stored = stored_size(*size, side)
        # The size in the file may be lying on its side, while the picture is upright.
        turned = (picture.height > picture.width) != (stored[0] > stored[1])
        return _as_array(_resize(picture, *(stored[::-1] if turned else stored)))


def resize(image: Image, height: int, width: int) -> Image:
    """Resize and crop a decoded image (height x width x channels) as `decode` does."""
    return image if image.shape[:2] == (height, width) else _as_array(_fit(_as_picture(image), height, width))


def resize_whole(image: Image, side: int) -> Image:
    """Resize a decoded image (height x width x channels) as `decode_whole` does."""
    height, width = image.shape[:2]
    stored = stored_size(height, width, side)
    return image if (height, width) == stored else _as_array(_resize(_as_picture(image), *stored))


@dataclass(frozen=True)
class Decoder:
    """Decodes image i of a part; picklable if `contents` is."""

    contents: EncodedImages
    """The part's encoded images."""
    shape: StoredShape
    """Size and channels of decoded images."""
    max_pixels: int = MAX_PIXELS
    """Maximum pixels of an image."""

    def __call__(self, i: int) -> Image:
        """Decode image i as uint8, as `shape` says; raises as `decode` does."""
        content, name, limits = self.contents(i), self.contents.name(i), training_limits(self.max_pixels)
        if self.shape.whole:
            return decode_whole(content, name, self.shape.whole.side, self.shape.channels, limits)
        return decode(content, name, (self.shape.height, self.shape.width, self.shape.channels), limits)


@contextmanager
def _decoded(
    content: bytes | Path,
    name: str,
    channels: int,
    side: Callable[[int, int], int],
    limits: DecodeLimits,
) -> Iterator[tuple[Pillow.Image, tuple[int, int]]]:
    """The converted picture, and height and width in the file; `side` tells from these how far it may be reduced.

    Errors of the image inside the block are raised as `BadImageError`.
    """
    content = _read(content, name, limits.file_bytes) if isinstance(content, Path) else content
    with _opened(io.BytesIO(content), name, limits) as picture:
        size = picture.height, picture.width
        if picture.format in JPEG_FORMATS and count_scans(content) * size[0] * size[1] > limits.scanned_pixels:
            raise BadImageError(
                name,
                BadImageCause.TOO_LARGE,
                f"has {count_scans(content):,} scans, which would take too long to decode",
            )
        cost = plan_decode(picture, content, side(*size))
        if cost.pixels > limits.pixels:
            raise limits.too_many_pixels(name, cost.pixels)
        with limits.reserve(cost):
            picture.load()
            yield convert_picture(picture, channels), size


def _head(file: BinaryIO, name: str, limits: DecodeLimits) -> tuple[int, int, bool]:
    with _opened(file, name, limits) as picture:
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


def _resize(picture: Pillow.Image, height: int, width: int) -> Pillow.Image:
    if picture.size == (width, height):
        return picture
    return resample(picture, (width, height), (0, 0, *picture.size))


def _as_picture(image: Image) -> Pillow.Image:
    return Pillow.fromarray(image[..., 0] if image.shape[2] == 1 else image)


def _as_array(picture: Pillow.Image) -> Image:
    pixels = np.asarray(picture, dtype=np.uint8)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _read(file: Path, name: str, limit: int) -> bytes:
    try:
        found = file.stat()
        if found.st_size > limit:
            raise BadImageError(name, BadImageCause.TOO_LARGE, f"has {found.st_size:,} bytes, more than {limit:,}")
        with file.open("rb") as opened:
            if stat.S_ISREG(found.st_mode):
                return read_stream(opened, name, limit, first=found.st_size + 1)
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
def _opened(file: BinaryIO, name: str, limits: DecodeLimits) -> Iterator[Pillow.Image]:
    """Open an image without decoding it, with at most `limits.pixels` pixels unless it will be reduced.

    Errors of the image inside the block are raised as `BadImageError`.
    """
    _allow(limits.reduced_pixels)
    try:
        with Pillow.open(file, formats=with_heif(FORMATS)) as picture:
            reduced = picture.format in JPEG_FORMATS and not is_progressive(picture)
            count = picture.width * picture.height
            if count > (limits.reduced_pixels if reduced else limits.pixels):
                raise limits.too_many_pixels(name, count)
            yield picture
    except UserError:
        raise
    except MemoryError as error:
        raise UserError(f"image {name}: not enough memory to decode it") from error
    except (Pillow.DecompressionBombError, Pillow.DecompressionBombWarning) as error:
        raise limits.too_many_pixels(name) from error
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


def _allow(pixels: int) -> None:
    """Raise Pillow's own limit, which holds for the whole process, for an option that is above all default ones."""
    if pixels > MAX_REDUCED_PIXELS and Pillow.MAX_IMAGE_PIXELS is not None:
        Pillow.MAX_IMAGE_PIXELS = max(pixels, Pillow.MAX_IMAGE_PIXELS)
