"""Batched augmentation on the device: what changes each image by itself, and the two mixtures.

Every random number comes from the epoch's plan, so an image's augmentation depends on seed and epoch alone.
"""

from collections.abc import Callable
from functools import lru_cache
from pkgutil import resolve_name
from typing import Any

import torch
from torch import Tensor

from trainables.augmentation.augmentation_registry import (
    AUGMENTATIONS,
    DRAW_COLUMNS,
    augmentation_value,
    pixel_augmentations,
)
from trainables.config import TrialConfig
from trainables.data.loading.epoch_plan import PlannedBatch


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


def augment(images: Tensor, draws: Tensor, config: TrialConfig) -> Tensor:
    """Augment float images in [0, 1], shape (b, c, h, w), by uniform draws (b, columns); see `DRAW_COLUMNS`."""
    if draws.shape[1] != len(DRAW_COLUMNS):
        raise ValueError(f"draws has {draws.shape[1]} columns, needs {len(DRAW_COLUMNS)}")
    for name in pixel_augmentations(config):
        if (own := AUGMENTATIONS[name].own) is not None:
            images = _augment_own(name, own, images, draws, config)
        else:
            images = _function(name)(images, draws, config)
    return images


def _augment_own(name: str, own: Callable[..., Tensor], images: Tensor, draws: Tensor, config: TrialConfig) -> Tensor:
    """What an augmentation of the user's own makes of the images; raises ValueError for another shape or type."""
    columns = [DRAW_COLUMNS[draw] for draw in AUGMENTATIONS[name].draws]
    found = own(images, draws[:, columns], augmentation_value(config, name))
    if found.shape != images.shape or found.dtype != images.dtype:
        raise ValueError(
            f"augmentation {name!r} returned {found.dtype} of shape {tuple(found.shape)} for {images.dtype} of "
            f"{tuple(images.shape)}"
        )
    return found


@lru_cache
def _function(name: str) -> Callable[[Tensor, Tensor, TrialConfig], Tensor]:
    """The function of an augmentation, imported at its first use."""
    found: Any = resolve_name(AUGMENTATIONS[name].function)
    return found  # type: ignore[no-any-return]  # a test of the registry calls each
