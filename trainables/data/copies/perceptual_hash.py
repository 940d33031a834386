"""The perceptual hash of an image: 64 bits that hardly change when it is re-encoded, resized, or a little cropped.

This is pHash (Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010): the image in grey at
32 x 32 pixels, its discrete cosine transform, and whether each of the 8 x 8 lowest frequencies above 0 is greater than
their median. Half of the bits of any hash are set.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

Hashes = NDArray[np.uint64]
REDUCED_SIDE = 32
"""Side that images are reduced to, in pixels."""
MIN_HASHED_SIDE = 24
"""Shorter side from which images are hashed, in pixels: smaller ones, such as 8x8 digits, have too little detail."""
MIN_CONTRAST = 6.0
"""Standard deviation of grey values, from 0 to 255, of a reduced image below which it has too little structure."""
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of red, green and blue in grey (ITU-R BT.601)."""
NO_HASH = np.uint64(0)
"""Stands for an image that is too small, or has too little structure."""


def reduce_image(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """An image (channels x height x width) in grey at 32 x 32 pixels, from 0 to 255; blank if it is too small."""
    if not is_hashed(*image.shape[1:]):
        return np.zeros((REDUCED_SIDE, REDUCED_SIDE), np.float32)
    if image.shape[1:] != (REDUCED_SIDE, REDUCED_SIDE):
        image = np.stack([_reduce_band(band) for band in image])
    weights = LUMA if len(image) == len(LUMA) else np.ones(1, np.float32)
    grey: NDArray[np.float32] = np.tensordot(weights, image.astype(np.float32), 1)
    return grey


def is_hashed(height: int, width: int) -> bool:
    """Whether images of this size are large enough for a hash."""
    return min(height, width) >= MIN_HASHED_SIDE


def hash_reduced(images: Sequence[NDArray[np.float32]]) -> Hashes:
    """The hash of each reduced image."""
    if not images:
        return np.zeros(0, np.uint64)
    stacked = np.stack(images)
    low = (_cosines() @ stacked @ _cosines().T).reshape(len(stacked), -1)
    bits = low > np.median(low, axis=1, keepdims=True)
    hashes: Hashes = np.packbits(bits, axis=1, bitorder="little").view("<u8").reshape(-1).astype(np.uint64)
    hashes[stacked.std(axis=(1, 2)) < MIN_CONTRAST] = NO_HASH
    return hashes


def _reduce_band(band: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Averages of equal areas of one channel; in two steps, since Pillow takes whole pixels three times as fast."""
    height, width = (max(1, length // REDUCED_SIDE) for length in band.shape)
    picture, side = Pillow.fromarray(band).reduce((width, height)), (REDUCED_SIDE, REDUCED_SIDE)
    if picture.size != side:
        area = (0, 0, band.shape[1] / width, band.shape[0] / height)
        picture = picture.resize(side, Pillow.Resampling.BOX, box=area)
    return np.asarray(picture)


@cache
def _cosines() -> NDArray[np.float32]:
    """Rows of the DCT-II matrix, of frequencies 1 to 8."""
    frequency, place = np.arange(1, 9)[:, None], np.arange(REDUCED_SIDE)[None, :]
    cosines: NDArray[np.float32] = np.cos(np.pi * frequency * (2 * place + 1) / (2 * REDUCED_SIDE)).astype(np.float32)
    return cosines
