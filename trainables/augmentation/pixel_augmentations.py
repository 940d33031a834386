"""Augmentations that change each image by itself, for whole batches on the device.

Images are floats in [0, 1], shape (b, c, h, w). Row 0 is the top one and column 0 the left one; x grows with the
columns, to the right, and y with the rows, downwards. In fractions of the image, pixel (row, column) reaches from
(row / h, column / w) to ((row + 1) / h, (column + 1) / w), so its centre is half a pixel further; `grid_sample` calls
that `align_corners=False` and has its own coordinates, from -1 to 1 with (0, 0) in the middle of the image.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from trainables.augmentation.augmentation_registry import DRAW_COLUMNS
from trainables.config import TrialConfig

ROTATION = math.radians(30)
"""Largest rotation at strength 1, either way."""
ZOOM = math.log(1.35)
"""Logarithm of the largest zoom."""
SHIFT = 0.2
"""Largest shift, of the side."""
SHEAR = 0.25
"""Tangent of the largest shear."""
COLOUR = 0.4
"""Largest change of a colour factor, which is 1."""
ERASED_AREA = 0.25
"""Largest part of an image that is erased."""
AFFINE = slice(DRAW_COLUMNS["angle"], DRAW_COLUMNS["shear"] + 1)
COLOUR_FACTORS = slice(DRAW_COLUMNS["brightness"], DRAW_COLUMNS["saturation"] + 1)
ERASE_AREA, ERASE_Y, ERASE_X = (
    slice(DRAW_COLUMNS[name], DRAW_COLUMNS[name] + 1) for name in ("erase_area", "erase_y", "erase_x")
)
"""Columns of draws."""


def translate(images: Tensor, draws: Tensor, config: TrialConfig) -> Tensor:
    """Shift each image by whole pixels, at most `config.translate` in either direction, its edges reflected.

    Every shift is as likely; a draw of a half shifts by nothing.
    """
    across = _reflected(draws[:, DRAW_COLUMNS["translate_x"]], images.shape[-1], config.translate)
    down = _reflected(draws[:, DRAW_COLUMNS["translate_y"]], images.shape[-2], config.translate)
    own = torch.arange(len(images), device=images.device)[:, None, None]
    return images[own, :, down[:, :, None], across[:, None, :]].permute(0, 3, 1, 2)


def _reflected(draws: Tensor, length: int, most: int) -> Tensor:
    """Index of the pixel, of a line of `length`, at each place of the line shifted by each draw; shape (b, length)."""
    most = min(most, length - 1)
    shift = (draws * (2 * most + 1)).floor().long() - most
    source = torch.arange(length, device=draws.device) - shift[:, None]
    return (length - 1) - ((length - 1) - source.abs()).abs()


def mirror(images: Tensor, draws: Tensor, config: TrialConfig) -> Tensor:
    """Mirror the images whose draw is below a half left to right, unless `distort` is on, which does it too."""
    if config.augment_strength:
        return images
    mirrored = draws[:, DRAW_COLUMNS["mirror"]] < 0.5
    return torch.where(mirrored[:, None, None, None], images.flip(-1), images)


def distort(images: Tensor, draws: Tensor, config: TrialConfig) -> Tensor:
    """Rotate, zoom, shift, shear and mirror by one interpolation, change colours, erase a rectangle."""
    strength = config.augment_strength
    images = _affine(images, draws, strength, config.flip != "none")
    images = _colour(images, draws, strength)
    return _erase(images, draws, strength)


def _affine(images: Tensor, draws: Tensor, strength: float, flip: bool) -> Tensor:
    """Positive angles turn the content anticlockwise; positive shifts move it left and up."""
    signed = (2.0 * draws[:, AFFINE] - 1.0) * strength
    angle, zoom = signed[:, 0] * ROTATION, torch.exp(signed[:, 1] * ZOOM)
    mirrored = torch.where(draws[:, DRAW_COLUMNS["mirror"]] < 0.5, -1.0, 1.0) if flip else torch.ones_like(zoom)
    cos, sin, shear = torch.cos(angle) / zoom, torch.sin(angle) / zoom, signed[:, 4] * SHEAR
    # grid_sample wants the map from output to input; coordinates run over [-1, 1], so a shift counts twice.
    first = torch.stack([cos * mirrored, cos * shear - sin, signed[:, 2] * SHIFT * 2], dim=1)
    second = torch.stack([sin * mirrored, sin * shear + cos, signed[:, 3] * SHIFT * 2], dim=1)
    grid = functional.affine_grid(torch.stack([first, second], dim=1), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def _colour(images: Tensor, draws: Tensor, strength: float) -> Tensor:
    factors = 1.0 + (2.0 * draws[:, COLOUR_FACTORS, None, None] - 1.0) * strength * COLOUR
    brightness, contrast, saturation = factors[:, 0:1], factors[:, 1:2], factors[:, 2:3]
    images = images * brightness
    images = torch.lerp(images.mean(dim=(1, 2, 3), keepdim=True), images, contrast)
    if images.shape[1] > 1:
        images = torch.lerp(images.mean(dim=1, keepdim=True), images, saturation)
    return images.clamp(0.0, 1.0)


def _erase(images: Tensor, draws: Tensor, strength: float) -> Tensor:
    """Grey out one rectangle in half of the images at strength 1 (random erasing, arXiv:1708.04896)."""
    height, width = images.shape[-2:]
    half = torch.sqrt(draws[:, ERASE_AREA] * ERASED_AREA) / 2
    rows = (torch.arange(height, device=images.device) + 0.5) / height
    columns = (torch.arange(width, device=images.device) + 0.5) / width
    down, across = (rows - draws[:, ERASE_Y]).abs() < half, (columns - draws[:, ERASE_X]).abs() < half
    chosen = (draws[:, DRAW_COLUMNS["erase"]] < strength / 2)[:, None, None, None]
    return torch.where((down[:, :, None] & across[:, None, :])[:, None] & chosen, 0.5, images)
