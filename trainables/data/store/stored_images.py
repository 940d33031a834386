"""The images in one folder of a store: equal ones as an array, others whole, one after another, in a flat file."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

IMAGES_FILE = "images.npy"
"""Pixels: n x channels x height x width; or flat, image after image, where sizes differ or images are stored whole."""
SIZES_FILE = "sizes.npy"
"""Height and width of each image, int32, n x 2; only beside flat pixels."""


@dataclass(frozen=True)
class StoredImages:
    """Stored images by row, mapped into memory, so that every process on a node shares their pages."""

    pixels: np.memmap[Any, np.dtype[np.uint8]]
    """What `images.npy` holds: an array of 4 dimensions, or of 1."""
    sizes: NDArray[np.int32]
    """Height and width of each image in pixels, n x 2."""
    channels: int
    """1 for grey images, 3 for RGB."""

    @classmethod
    def open(cls, folder: Path, channels: int) -> "StoredImages":
        """Open the images in `folder`; raises OSError, ValueError or EOFError for files that are missing or damaged."""
        # Copy-on-write keeps the pages shared, and lets torch wrap the array without a warning.
        pixels: np.memmap[Any, np.dtype[np.uint8]] = np.load(folder / IMAGES_FILE, mmap_mode="c")
        if pixels.ndim == 4:
            return cls(pixels, np.broadcast_to(np.int32(pixels.shape[2:]), (len(pixels), 2)), channels)
        found = cls(pixels, np.load(folder / SIZES_FILE), channels)
        if len(pixels) != found.offsets[-1]:
            raise ValueError(f"{len(pixels):,} bytes of pixels, for sizes of {found.offsets[-1]:,}")
        return found

    def __len__(self) -> int:
        """Number of images."""
        return len(self.sizes)

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """First byte of each image among the pixels, and the end of the last one; n + 1 numbers."""
        ends = np.cumsum(self.channels * self.sizes.prod(axis=1, dtype=np.int64))
        return np.concatenate([np.zeros(1, np.int64), ends])

    @cached_property
    def uniform(self) -> np.memmap[Any, np.dtype[np.uint8]] | None:
        """All images as one array, n x channels x height x width; None where their sizes differ."""
        if self.pixels.ndim == 4:
            return self.pixels
        if not len(self) or (self.sizes != self.sizes[0]).any():
            return None
        height, width = self.sizes[0].tolist()
        reshaped: np.memmap[Any, Any] = self.pixels.reshape(len(self), self.channels, height, width).view(np.memmap)
        return reshaped

    def image(self, row: int) -> NDArray[np.uint8]:
        """One image, channels x height x width: a view, not a copy."""
        if self.pixels.ndim == 4:
            return np.asarray(self.pixels[row])
        height, width = self.sizes[row].tolist()
        pixels = self.pixels[self.offsets[row] : self.offsets[row + 1]]
        return np.asarray(pixels).reshape(self.channels, height, width)
