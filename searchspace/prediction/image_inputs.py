"""The images that a classifier is asked about from Python: files, folders, pictures, arrays and tensors, in order."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image as Picture
from PIL.Image import fromarray

from searchspace.prediction.inputs import find_inputs
from trainables.common.errors import UserError
from trainables.data.decoding.bad_images import BadImage, BadImageCause, BadImageError
from trainables.data.in_memory.array_data import is_array
from trainables.data.in_memory.pixel_arrays import ChannelAxis, image_batch, to_numpy, to_pixels

if TYPE_CHECKING:
    from trainables.export.predictor import Predictor

BATCH = 64
"""Images that are decoded and classified at a time."""
TAKEN = "give a path, a PIL image, a uint8 array or tensor, or a list of these"


@dataclass(frozen=True)
class InputImage:
    """One image, not decoded yet."""

    name: str
    """Its path, or its place: `image 3`."""
    content: Path | bytes | Picture | NDArray[np.uint8] | BadImage | Callable[[], Path | bytes | NDArray[np.uint8]]
    """Its file or encoded bytes; its pixels, (h, w) or (h, w, c); why it cannot be used; or what reads one of these."""

    def store(self, predictor: "Predictor") -> NDArray[np.uint8]:
        """Its pixels (c, h, w) as training stores them; raises `BadImageError` for a damaged one."""
        content = self.content() if callable(self.content) else self.content
        if isinstance(content, BadImage):
            raise BadImageError(content.name, content.cause or BadImageCause.UNDECODABLE, content.reason)
        if isinstance(content, Path | bytes):
            return predictor.read_stored(content, self.name)
        picture = content if isinstance(content, Picture) else to_picture(content)
        try:
            return predictor.store_picture(picture)
        except (OSError, ValueError, SyntaxError) as error:  # what Pillow raises for damaged content
            raise BadImageError(self.name, BadImageCause.UNDECODABLE, f"cannot be decoded: {error}") from error


def to_picture(pixels: NDArray[np.uint8]) -> Picture:
    """A picture of pixels (h, w) or (h, w, c)."""
    return fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[2:] == (1,) else pixels))


def list_inputs(images: Any, grey: bool, channels: ChannelAxis | None) -> list[InputImage]:
    """The images in what is given to a classifier of `grey` or RGB images.

    That is a path of an image or a folder, a picture, an array or tensor as `image_batch` takes it, or a sequence of
    these. Raises `UserError` for anything else, and where there are no images.
    """
    if isinstance(images, str | os.PathLike):
        found = find_inputs([os.path.expanduser(os.fspath(images))]).images
        return [InputImage(str(name), name if isinstance(name, BadImage) else Path(name)) for name in found]
    if isinstance(images, Picture):
        return [InputImage("image 0", images)]
    if is_array(images) and to_numpy(images).dtype.kind in "OU":  # a column of paths
        images = list(images)
    if is_array(images):
        batch = image_batch(to_pixels(images, "images"), grey, channels, "images")
        return [InputImage(f"image {place}", image) for place, image in enumerate(batch)]
    if not isinstance(images, Sequence) or isinstance(images, bytes):
        raise UserError(f"images: {type(images).__name__}; {TAKEN}")
    return [each for place, image in enumerate(images) for each in _inputs_of(image, place, grey, channels)]


def _inputs_of(image: Any, place: int, grey: bool, channels: ChannelAxis | None) -> Iterator[InputImage]:
    """The images of one element of a sequence; an array or tensor there is one image."""
    name = f"image {place}"
    if is_array(image):
        pixels = to_pixels(image, name)
        if pixels.ndim not in {2, 3}:
            raise UserError(f"{name}: uint8 {pixels.shape}; in a list an array is one image, (h, w) or (h, w, c)")
        yield InputImage(name, image_batch(pixels, False, channels, name)[0])
    elif isinstance(image, str | os.PathLike | Picture):
        for each in list_inputs(image, grey, channels):
            yield InputImage(name, each.content) if isinstance(image, Picture) else each
    else:
        raise UserError(f"{name}: {type(image).__name__}; {TAKEN}")


def iterate_stored(predictor: "Predictor", images: Sequence[InputImage]) -> Iterator[list[NDArray[np.uint8]]]:
    """The images' pixels as training stores them, `BATCH` at a time, decoded in threads; raises as `store` does."""
    with ThreadPoolExecutor() as threads:
        for start in range(0, len(images), BATCH):
            yield list(threads.map(lambda image: image.store(predictor), images[start : start + BATCH]))


def classify_inputs(predictor: "Predictor", images: Sequence[InputImage]) -> NDArray[np.float32]:
    """Class probabilities (n, classes); raises `BadImageError` for the first image that cannot be decoded."""
    found = [np.empty((0, len(predictor.classes)), np.float32)]
    for stored in iterate_stored(predictor, images):
        found.append(predictor.classify([predictor.fit(image) for image in stored]))
    return np.concatenate(found)
