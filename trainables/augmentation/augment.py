"""Batched augmentation on the device: one fused affine, colour, erasing, and the two mixtures.

Every random number comes from the epoch's plan, so an image's augmentation depends on seed and epoch alone.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from trainables.data.loading.epoch_plan import DRAWS, FLIP, PlannedBatch

ROTATION = math.radians(30)
ZOOM = math.log(1.35)
SHIFT = 0.2
SHEAR = 0.25
COLOUR = 0.4
ERASED = 0.25
# Largest rotation, log zoom, shift (of the side), shear (tangent), colour factor and erased area, at strength 1.


def mix(images: Tensor, partners: Tensor, batch: PlannedBatch) -> tuple[Tensor, float]:
    """MixUp or CutMix of images with partners, float (b, c, h, w); returns them and the share of their own labels."""
    if batch.mixup < 1.0:
        return torch.lerp(partners, images, batch.mixup), batch.mixup
    height, width = images.shape[-2:]
    top, bottom = round(batch.cutmix[0] * height), round(batch.cutmix[2] * height)
    left, right = round(batch.cutmix[1] * width), round(batch.cutmix[3] * width)
    mixed = images.clone()
    mixed[..., top:bottom, left:right] = partners[..., top:bottom, left:right]
    return mixed, 1.0 - (bottom - top) * (right - left) / (height * width)


def augment(images: Tensor, draws: Tensor, strength: float, flip: bool) -> Tensor:
    """Augment float images in [0, 1], shape (b, c, h, w), by uniform draws of shape (b, DRAWS)."""
    if draws.shape[1] != DRAWS:
        raise ValueError(f"draws has {draws.shape[1]} columns, needs {DRAWS}")
    if strength == 0.0:
        mirrored = draws[:, FLIP] < 0.5
        return torch.where(mirrored[:, None, None, None], images.flip(-1), images) if flip else images
    images = _affine(images, draws, strength, flip)
    images = _colour(images, draws, strength)
    return _erase(images, draws, strength)


def _affine(images: Tensor, draws: Tensor, strength: float, flip: bool) -> Tensor:
    signed = (2.0 * draws[:, :5] - 1.0) * strength
    angle, zoom = signed[:, 0] * ROTATION, torch.exp(signed[:, 1] * ZOOM)
    mirror = torch.where(draws[:, FLIP] < 0.5, -1.0, 1.0) if flip else torch.ones_like(zoom)
    cos, sin, shear = torch.cos(angle) / zoom, torch.sin(angle) / zoom, signed[:, 4] * SHEAR
    # grid_sample wants the map from output to input; coordinates run over [-1, 1], so a shift counts twice.
    first = torch.stack([cos * mirror, cos * shear - sin, signed[:, 2] * SHIFT * 2], dim=1)
    second = torch.stack([sin * mirror, sin * shear + cos, signed[:, 3] * SHIFT * 2], dim=1)
    grid = functional.affine_grid(torch.stack([first, second], dim=1), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def _colour(images: Tensor, draws: Tensor, strength: float) -> Tensor:
    factors = 1.0 + (2.0 * draws[:, 6:9, None, None] - 1.0) * strength * COLOUR
    brightness, contrast, saturation = factors[:, 0:1], factors[:, 1:2], factors[:, 2:3]
    images = images * brightness
    images = torch.lerp(images.mean(dim=(1, 2, 3), keepdim=True), images, contrast)
    if images.shape[1] > 1:
        images = torch.lerp(images.mean(dim=1, keepdim=True), images, saturation)
    return images.clamp(0.0, 1.0)


def _erase(images: Tensor, draws: Tensor, strength: float) -> Tensor:
    """Grey out one rectangle in half of the images at strength 1 (random erasing, arXiv:1708.04896)."""
    height, width = images.shape[-2:]
    half = torch.sqrt(draws[:, 9:10] * ERASED) / 2
    rows = (torch.arange(height, device=images.device) + 0.5) / height
    columns = (torch.arange(width, device=images.device) + 0.5) / width
    inside = ((rows - draws[:, 10:11]).abs() < half)[:, :, None] & ((columns - draws[:, 11:12]).abs() < half)[
        :, None, :
    ]
    chosen = (draws[:, 12] < strength / 2)[:, None, None, None]
    return torch.where(inside[:, None] & chosen, 0.5, images)
