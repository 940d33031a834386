"""Preprocesses stored uint8 images into a network's input, the same in training, evaluation and export."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.export.formats.resize import fit_squares
from trainables.export.model_info import InputSpec


class Preprocess(nn.Module):
    """Scale, crop, resize, repeat grey, normalise: two halves, so that augmentation fits between them."""

    def __init__(self, spec: InputSpec) -> None:
        """Preprocess for a network with the input `spec`."""
        super().__init__()
        self.spec = spec
        self.register_buffer("mean", torch.tensor(spec.mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(spec.std).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("factor", 1.0 / (255.0 * self.get_buffer("std")), persistent=False)
        self.register_buffer("offset", -self.get_buffer("mean") / self.get_buffer("std"), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Network input, float (b, channels, side, side), of uint8 images (b, c, h, w)."""
        side, fit = (self.spec.side, self.spec.side), self.spec.square_fit
        if fit and tuple(images.shape[-2:]) != side:
            images = fit_squares(images, fit)
        if tuple(images.shape[-2:]) == side:  # scale and normalise in one operation
            scaled = torch.addcmul(self.get_buffer("offset"), images.to(torch.float32), self.get_buffer("factor"))
            return scaled.contiguous(memory_format=torch.channels_last)
        return self.normalise(self.resize(scale(images))).contiguous(memory_format=torch.channels_last)

    def resize(self, images: Tensor) -> Tensor:
        """Float images in [0, 1] of any size -> the network's size, still in [0, 1]."""
        side = self.spec.side
        kept = [round(length * self.spec.crop) for length in images.shape[-2:]]
        if min(kept) >= side:
            top, left = ((length - keep) // 2 for length, keep in zip(images.shape[-2:], kept, strict=True))
            images = images[..., top : top + kept[0], left : left + kept[1]]
        if tuple(images.shape[-2:]) != (side, side):
            shrinks = min(images.shape[-2:]) > side
            mode = self.spec.interpolation
            images = functional.interpolate(images, size=(side, side), mode=mode, antialias=shrinks).clamp(0.0, 1.0)
        return images

    def normalise(self, images: Tensor) -> Tensor:
        """Float images in [0, 1] -> normalised, with the network's number of channels."""
        if images.shape[1] != self.spec.channels:
            images = images.expand(-1, self.spec.channels, -1, -1)
        return (images - self.get_buffer("mean")) / self.get_buffer("std")


def scale(images: Tensor) -> Tensor:
    """Uint8 -> float in [0, 1]."""
    return images.to(torch.float32) / 255.0
