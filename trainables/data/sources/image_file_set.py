"""A data set of image files that a folder or a table names: their headers, and the raw set."""

import hashlib
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.data.data_options import DataOptions
from trainables.data.decoding.bad_images import BadImage, BadImageError
from trainables.data.decoding.decode import Decoder, read_image_header
from trainables.data.decoding.decode_limits import DecodeLimits, training_limits
from trainables.data.decoding.stored_size import StoredShape, choose_shape
from trainables.data.layouts.detected_layout import DetectedLayout
from trainables.data.sources.source import Part, RawSet

ImageHeader = tuple[int, int, bool]
"""Height, width and greyness of an image."""


@dataclass(frozen=True)
class ImageFiles:
    """The image files of one part, by row."""

    paths: tuple[Path, ...]
    """Files, in the order of their labels."""
    root: Path
    """The data folder."""
    sizes: tuple[tuple[int, int], ...]
    """Height and width of each image, in pixels, upright."""

    def __call__(self, row: int) -> Path:
        """File of an image."""
        return self.paths[row]

    def name(self, row: int) -> str:
        """Name of an image in messages."""
        return str(self.paths[row])

    def path(self, row: int) -> str:
        """Path of an image relative to the data folder, with `/`; the whole path of one that lies elsewhere."""
        file = self.paths[row]
        return (file.relative_to(self.root) if file.is_relative_to(self.root) else file).as_posix()

    def size(self, row: int) -> tuple[int, int]:
        """Height and width of an image."""
        return self.sizes[row]


@dataclass(frozen=True)
class LabelledFiles:
    """The files of one part, with what is known of each."""

    paths: tuple[Path, ...]
    """Files whose header was read."""
    labels: NDArray[np.int64]
    """Class index of each file, shape (n,)."""
    groups: NDArray[np.int64] | None = None
    """Group of each file, as in `Part`."""
    weights: NDArray[np.float32] | None = None
    """Weight of each file, as in `Part`."""


def read_headers(files: Iterable[Path], options: DataOptions) -> list[ImageHeader | BadImage]:
    """The header of each file, in order; raises `UserError` for a file that cannot be read."""
    with ThreadPoolExecutor() as threads:
        return list(threads.map(partial(_read_header, limits=training_limits(options.max_pixels)), files))


@dataclass(frozen=True)
class ImageFileSet:
    """A data set of image files whose headers were read."""

    name: str
    """Short name for files and tables."""
    root: Path
    """The data folder."""
    classes: tuple[str, ...]
    """Class names, in label order."""
    parts: Mapping[str, LabelledFiles]
    """`train`, and `val` and `test` where there are any."""
    heads: Mapping[Path, ImageHeader]
    """The header of each file of the parts."""
    bad_images: tuple[BadImage, ...]
    """Images that are in no part."""
    layout: DetectedLayout
    """How the files were found."""

    def to_raw_set(self, identity: str, options: DataOptions) -> RawSet:
        """The raw set; the stored shape follows from all headers."""
        channels = 1 if all(grey for _, _, grey in self.heads.values()) else 3
        sizes = [(height, width) for height, width, _ in self.heads.values()]
        shape = choose_shape(sizes, channels, options.store_side, options.keep_aspect)
        return RawSet(
            self.name, self.classes, {split: self._part(files, shape, options) for split, files in self.parts.items()},
            channels, shape.height, shape.width, identity, encoded=True, whole=shape.whole,
            bad_images=self.bad_images, layout=self.layout,
        )  # fmt: skip

    def _part(self, files: LabelledFiles, shape: StoredShape, options: DataOptions) -> Part:
        contents = ImageFiles(files.paths, self.root, tuple(self.heads[file][:2] for file in files.paths))
        return Part(
            files.labels, Decoder(contents, shape, options.max_pixels), contents.name, contents.path, contents.size,
            files.groups, files.weights,
        )  # fmt: skip


def digest_files(root: Path, files: Iterable[Path], refused: Iterable[BadImage]) -> "hashlib.blake2b":
    """Hash of the names, sizes and times of files below `root`, and of the names of bad images; raises OSError."""
    digest = hashlib.blake2b(digest_size=16)
    for file in files:
        stat = file.stat()
        name = file.relative_to(root) if file.is_relative_to(root) else file
        digest.update(os.fsencode(name) + f" {stat.st_size} {stat.st_mtime_ns}\n".encode())
    for image in refused:  # the reason makes no difference: none of them is in the store
        digest.update(b"without " + os.fsencode(os.path.relpath(image.name, root)) + b"\n")
    return digest


def _read_header(file: Path, limits: DecodeLimits) -> ImageHeader | BadImage:
    try:
        return read_image_header(file, str(file), limits)
    except BadImageError as error:
        return error.image
