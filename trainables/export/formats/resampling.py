"""Pillow's bicubic resampling as two matrix products, for graphs that have no Pillow.

Its filter (a = -0.5, widened where it shrinks), its box, and its rounding to 8 bits after each direction, across
first. Pillow sums in whole numbers, of which float32 holds 24 bits: weights are split in two, so that each sum fits.
A rounding that fell to the other side would change a pixel by 1 of 255, and a confident head's probability by 0.003.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

WEIGHT_PARTS = float(1 << 22)
"""Pillow rounds its weights to this part of 1."""
COARSE_PARTS = float(1 << 11)
"""The coarser half of a weight is a multiple of this many parts; the finer half is what is left."""
Length = Any
"""A number of pixels: an int, or its symbol in a traced graph."""


def sample_weights(
    size: int, length: Length, box: tuple[Any, Any], target: tuple[Length, Length], device: torch.device
) -> tuple[Tensor, Tensor]:
    """Weights (size, length) of each input pixel in each output pixel, and which output pixels (size,) are filled.

    Weights are whole numbers of `WEIGHT_PARTS`, in float64.

    `box` is the first pixel and the number of pixels of the part of the input, of `length` pixels, that fills `target`:
    the first pixel and the number of pixels within `size`. Pixels beside the box take part at its edge, as in Pillow.
    """
    start, kept = (torch.ones((), dtype=torch.float64, device=device) * value for value in box)
    step = kept / target[1]
    places = torch.arange(size, dtype=torch.float64, device=device) - target[0]
    middles = start + (places + 0.5) * step
    pixels = torch.arange(length, dtype=torch.float64, device=device) + 0.5
    weights = _cubic((pixels - middles[:, None]) / step.clamp(min=1.0))
    total = weights.sum(dim=1, keepdim=True)
    filled = (places >= 0) & (places < target[1])
    weights = weights / torch.where(filled[:, None], total, torch.ones_like(total))
    return (weights * WEIGHT_PARTS).round(), filled


def resample_images(images: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """Uint8 images (b, c, out height, out width) of uint8 images (b, c, h, w) by their weights in both directions."""
    narrowed = _resample(images, across)
    return _resample(narrowed.transpose(-1, -2), down).transpose(-1, -2)


def _resample(images: Tensor, weights: Tensor) -> Tensor:
    """Uint8 images (b, c, h, size) of uint8 images (b, c, h, length), by weights (size, length) in `WEIGHT_PARTS`.

    Sums are exact up to 64 pixels a weight, and beyond in all likelihood.
    """
    coarse = (weights / COARSE_PARTS).round()
    fine = weights - coarse * COARSE_PARTS
    pixels = images.float()
    high, low = (functional.linear(pixels, part.float()).double() for part in (coarse, fine))
    return round_to_bytes((high * COARSE_PARTS + low) / WEIGHT_PARTS)


def round_to_bytes(values: Tensor) -> Tensor:
    """Rounded to 0 … 255; half up, as Pillow does."""
    return (values + 0.5).floor().clamp(0.0, 255.0).to(torch.uint8)


def _cubic(x: Tensor) -> Tensor:
    """Keys' cubic convolution (doi:10.1109/TASSP.1981.1163711), a = -0.5."""
    x = x.abs()
    near = (1.5 * x - 2.5) * x * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return torch.where(x < 1.0, near, torch.where(x < 2.0, far, torch.zeros_like(x)))
