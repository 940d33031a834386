"""What a data source is, and the opened data set that it returns: named parts, each with labels and a decoder."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.common.licence import Licence
from trainables.data.data_options import DataOptions
from trainables.data.decoding.bad_images import BadImage
from trainables.data.decoding.pixels import Image
from trainables.data.decoding.stored_size import WholeSizes
from trainables.data.layouts.detected_layout import DetectedLayout


@dataclass(frozen=True)
class Part:
    """One part of a source, such as its `train` folder."""

    labels: NDArray[np.int64]
    """Class index of each image, shape (n,)."""
    decode: Callable[[int], Image]
    """Decodes image i; safe to call from several threads. Raises `BadImageError` for one that cannot be decoded.
    Of an encoded set it goes to other processes, so it is picklable."""
    name: Callable[[int], str]
    """What to call image i in messages and lists."""
    path: Callable[[int], str] | None = None
    """Path of image i within the data folder, with `/`; None where images are no files."""
    size: Callable[[int], tuple[int, int]] | None = None
    """Height and width of image i before it is resized, in pixels, upright; None where only decoding would tell."""
    groups: NDArray[np.int64] | None = None
    """Number of each image's group over all parts, shape (n,); -1 for an image that is a group of its own. None: no
    groups."""
    weights: NDArray[np.float32] | None = None
    """Weight of each image in losses and weighted metrics, at least 0, shape (n,); None: 1 for all."""


@dataclass(frozen=True)
class RawSet:
    """A source that was opened but not decoded."""

    name: str
    """Short name for files and tables."""
    classes: tuple[str, ...]
    """Class names, in label order."""
    parts: dict[str, Part]
    """`train`, and `val` and `test` where the source has them."""
    channels: int
    """1 for grey images, 3 for RGB."""
    height: int
    """Height of every decoded image, in pixels; of whole ones see `StoredShape`."""
    width: int
    """Width of every decoded image, in pixels."""
    identity: str
    """Changes whenever the source's content may have: names, sizes, times of its files."""
    encoded: bool = False
    """Whether decoding is work (JPEG, PNG, …); False for images that already lie in memory as pixels."""
    whole: WholeSizes | None = None
    """How images are decoded whole, each to a size of its own; None: to `height` and `width`."""
    group_names: tuple[str, ...] = ()
    """Name of each group, by its number in `Part.groups`; empty where numbers are all that is known."""
    bad_images: tuple[BadImage, ...] = ()
    """Images known to be bad without decoding them; they are in no part."""
    sizes: tuple[tuple[int, int], ...] = ()
    """Height and width of some images before they are resized, in pixels, where no part knows those of all."""
    layout: DetectedLayout = field(default_factory=DetectedLayout)
    """How the files were read; empty for sets known by name."""


def make_array_part(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Part:
    """Part over images already in memory, shape (n, height, width, channels)."""
    return Part(labels=labels.astype(np.int64), decode=lambda i: images[i], name="image {}".format)


USERS_LICENCE = Licence(terms="images given by path, whose licence is not known here")
"""Of data sets that are given by a path or URL."""


@dataclass(frozen=True)
class DataSource:
    """One kind of data set that `--data` takes: a set known by its name, or a layout of files."""

    summary: str
    """For help and error messages: what a named set holds, or what a layout is, such as `a folder of parquet files`."""
    open: Callable[[Path, DataOptions], RawSet]
    """Opens a data set without decoding it. A named set gets a folder for downloads, a layout the path of its file or
    folder; it ignores options that mean nothing to it. Raises `UserError`, in one line with a remedy, for a set that
    cannot be used."""
    recognizes: Callable[[Path], bool] | None = None
    """Whether a file or folder has this layout, judged by names and first bytes only; None for a set known by name."""
    licence: Licence = USERS_LICENCE
    """Terms of the images."""
    pixels: str = ""
    """How the published pixels were converted to values from 0 to 255; empty where they have these values."""
