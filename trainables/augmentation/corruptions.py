"""Common corruptions of images, at the strengths of the published benchmarks (arXiv:1903.12261).

Four of them, one a kind: noise, blur, weather (brightness) and compression. The strengths, 1 to 5, are those of the
benchmark whose images are nearest in size: CIFAR-10-C (32 pixels), Tiny-ImageNet-C (64) or ImageNet-C (224). What an
image of 8 pixels loses by a blur of one pixel is more than one of 32 does.
"""

import io
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Images = NDArray[np.uint8]
BENCHMARK_SIDES = (32, 64, 224)
"""Sides, in pixels, of the benchmarks' images: CIFAR-10-C, Tiny-ImageNet-C, ImageNet-C."""
MAX_STRENGTH = 5
"""The strongest; the weakest is 1."""


@dataclass(frozen=True)
class Corruption:
    """One kind of image corruption."""

    summary: str
    """What it does, and the meaning and unit of its parameter."""
    apply: Callable[[Images, float, np.random.Generator], Images]
    """Images (n, 1 or 3, height, width), parameter, random generator -> images of the same shape."""
    parameters: tuple[tuple[float, ...], ...]
    """The parameter by benchmark, in the order of `BENCHMARK_SIDES`, and by strength."""


def corrupt(name: str, images: Images, strength: int, rng: np.random.Generator) -> Images:
    """Copies of uint8 `images` (n, 1 or 3, height, width), corrupted with `strength` (1 to 5)."""
    corruption = CORRUPTIONS[name]
    return corruption.apply(images, corruption_parameter(name, max(images.shape[-2:]), strength), rng)


def corruption_parameter(name: str, side: int, strength: int) -> float:
    """Parameter of the corruption `name` at `strength` (1 to 5) for images of `side` pixels."""
    nearest = min(range(len(BENCHMARK_SIDES)), key=lambda index: abs(math.log(side / BENCHMARK_SIDES[index])))
    return CORRUPTIONS[name].parameters[nearest][strength - 1]


def _noise(images: Images, deviation: float, rng: np.random.Generator) -> Images:
    drawn = rng.standard_normal(images.shape, dtype=np.float32)
    return _to_bytes(images + 255 * deviation * drawn)


def _blur(images: Images, deviation: float, _rng: np.random.Generator) -> Images:
    from scipy.ndimage import gaussian_filter

    return _to_bytes(gaussian_filter(images.astype(np.float32), (0, 0, deviation, deviation), mode="nearest"))


def _brighten(images: Images, amount: float, _rng: np.random.Generator) -> Images:
    """Raise the value of HSV, the largest channel, and the others in proportion: hue and saturation stay."""
    value = images.max(axis=1, keepdims=True).astype(np.float32)
    raised = np.minimum(value + 255 * amount, 255)
    return _to_bytes(np.where(value > 0, images * (raised / np.maximum(value, 1)), raised))


def _compress(images: Images, quality: float, _rng: np.random.Generator) -> Images:
    return np.stack([_as_jpeg(image, int(quality)) for image in images])


def _as_jpeg(image: Images, quality: int) -> Images:
    """One image (1 or 3, height, width) after JPEG."""
    file = io.BytesIO()
    Image.fromarray(image[0] if len(image) == 1 else np.moveaxis(image, 0, -1)).save(file, "JPEG", quality=quality)
    found = np.asarray(Image.open(file))
    return found[None] if len(image) == 1 else np.moveaxis(found, -1, 0)


def _to_bytes(values: NDArray[np.float32]) -> Images:
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)


CORRUPTIONS: dict[str, Corruption] = {
    "noise": Corruption(
        "normal noise on each pixel and channel; its deviation, of a range of 1", _noise,
        ((0.04, 0.06, 0.08, 0.09, 0.10), (0.04, 0.08, 0.12, 0.15, 0.18), (0.08, 0.12, 0.18, 0.26, 0.38)),
    ),
    "blur": Corruption(
        "Gaussian blur; its deviation, in pixels", _blur,
        ((0.4, 0.6, 0.7, 0.8, 1.0), (0.5, 0.75, 1.0, 1.25, 1.5), (1.0, 2.0, 3.0, 4.0, 6.0)),
    ),
    "brightness": Corruption(
        "added to the value of HSV, of a range of 1", _brighten,
        ((0.05, 0.1, 0.15, 0.2, 0.3), (0.1, 0.2, 0.3, 0.4, 0.5), (0.1, 0.2, 0.3, 0.4, 0.5)),
    ),
    "jpeg": Corruption(
        "JPEG compression; its quality, from 1 to 95", _compress,
        ((80, 65, 58, 50, 40), (65, 58, 50, 40, 25), (25, 18, 15, 10, 7)),
    ),
}  # fmt: skip
"""Each corruption by its name: adding one is one function and one line."""
