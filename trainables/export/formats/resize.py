"""Resizes images of any size to a classifier's, inside the exported graph, exactly as the data store does.

This is Pillow's bicubic resize as two matrix products: its filter (a = -0.5, widened where it shrinks), its crop box,
its rounding to 8 bits after each direction. So a photo and its stored version give the same logits.
"""

import torch
from torch import Tensor, nn

LUMINANCE = (19595, 38470, 7471)
"""Weights of red, green and blue in grey, of 65,536 (ITU-R 601, as Pillow has them)."""


class Resize(nn.Module):
    """Uint8 images (b, 1 or 3, any height, any width) -> uint8 images (b, channels, height, width)."""

    def __init__(self, channels: int, height: int, width: int) -> None:
        """Resize to this shape: shorter side resized, centre cropped; grey repeated, or colours converted to grey."""
        super().__init__()
        self.channels, self.height, self.width = channels, height, width

    def forward(self, images: Tensor) -> Tensor:
        """Resize the images."""
        images = _to_grey(_to_colour(images)) if self.channels == 1 else _to_colour(images)
        high, wide = (torch.ones((), device=images.device) * length for length in images.shape[-2:])
        scale = torch.maximum(self.height / high, self.width / wide)
        across = _filter(self.width, images.shape[-1], torch.minimum(wide, self.width / scale))
        down = _filter(self.height, images.shape[-2], torch.minimum(high, self.height / scale))
        return _to_bytes(down @ _to_bytes(images.float() @ across.T).float())


def _to_colour(images: Tensor) -> Tensor:
    """Three channels, grey repeated; without a branch on the number of channels, which an exporter would fix."""
    return images.index_select(1, torch.arange(3, device=images.device) * (images.shape[1] // 3))


def _to_grey(images: Tensor) -> Tensor:
    weights = torch.tensor(LUMINANCE, dtype=torch.int32, device=images.device).view(1, 3, 1, 1)
    total = (images.to(torch.int32) * weights).sum(dim=1, keepdim=True, dtype=torch.int32)
    return ((total + 32768) // 65536).to(torch.uint8)


def _filter(size: int, length: int, kept: Tensor) -> Tensor:
    """Weights (size, length) of each input pixel in each output pixel, for the middle `kept` pixels of `length`."""
    step = kept / size
    middles = (length - kept) / 2 + (torch.arange(size, dtype=torch.float32, device=kept.device) + 0.5) * step
    pixels = torch.arange(length, dtype=torch.float32, device=kept.device) + 0.5
    weights = _cubic((pixels - middles[:, None]) / step.clamp(min=1.0))
    return weights / weights.sum(dim=1, keepdim=True)


def _cubic(x: Tensor) -> Tensor:
    """Keys' cubic convolution (doi:10.1109/TASSP.1981.1163711), a = -0.5."""
    x = x.abs()
    near = (1.5 * x - 2.5) * x * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return torch.where(x < 1.0, near, torch.where(x < 2.0, far, torch.zeros_like(x)))


def _to_bytes(values: Tensor) -> Tensor:
    """Rounded to 0 … 255; half up, as Pillow does."""
    return (values + 0.5).floor().clamp(0.0, 255.0).to(torch.uint8)
