"""Resizes images of any size to a classifier's, inside the exported graph, exactly as the data store does.

So a photo and its stored version give the same logits. A store of one shape has `Resize`; a store that keeps aspects
has `StoredResize`, behind which each network has its `SquareViews`.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from trainables.data.decoding.stored_size import MAX_ASPECT, MIN_SIDE
from trainables.data.loading.square_fit import SquareFit
from trainables.export.formats.resampling import resample_images, sample_weights

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
        return _resize_centre(convert_channels(images, self.channels), self.height, self.width)


class StoredResize(nn.Module):
    """Uint8 images (b, 1 or 3, any height, any width) -> as a store that keeps aspects has them, their channels too."""

    def __init__(self, channels: int, side: int) -> None:
        """Resize as a store whose images have a shorter side of at most `side` pixels."""
        super().__init__()
        self.channels, self.side = channels, side

    def forward(self, images: Tensor) -> Tensor:
        """Resize the images."""
        images = convert_channels(images, self.channels)
        high, wide = images.shape[-2:]
        height, width = (_as_length(length, self.side) for length in stored_lengths(*_as_tensors(images), self.side))
        down, _ = sample_weights(height, high, (0, high), (0, height), images.device)
        across, _ = sample_weights(width, wide, (0, wide), (0, width), images.device)
        return resample_images(images, down, across)


class SquareViews(nn.Module):
    """Stored uint8 images (b, c, h, w) -> their squares, uint8 (b, c, side, side), one for each way of fitting."""

    def __init__(self, fits: Sequence[SquareFit]) -> None:
        """Fit in each of the ways of `fits`."""
        super().__init__()
        self.fits = tuple(fits)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Fit the images."""
        return tuple(fit_squares(images, fit) for fit in self.fits)


def _as_length(length: Tensor, side: int) -> int:
    """A stored length as the number of a tensor's rows."""
    found: Any = length.item()  # a symbol in a traced graph, which `int` would ask for its value
    torch._check(found >= 1)  # how PyTorch's documentation bounds a number in a traced graph
    torch._check(found <= MAX_ASPECT * side)
    return found  # type: ignore[no-any-return]  # an int, or its symbol


def stored_lengths(height: Any, width: Any, side: int) -> tuple[Tensor, Tensor]:
    """`stored_size` as int64 tensors, without a branch, which a traced graph would fix.

    The sizes are tensors, too: long formulas of a trace's symbols take it minutes.
    """
    height, width = (torch.as_tensor(length) for length in (height, width))
    short, long = torch.minimum(height, width), torch.maximum(height, width)
    new = short.clamp(max=side)
    reduced = _in_proportion(short, MAX_ASPECT * side, long).clamp(min=1)
    new_long = _in_proportion(long, new, short).clamp(max=MAX_ASPECT * side)
    new_short = torch.minimum(new, reduced)
    times = ((MIN_SIDE + new_long - 1) // new_long).clamp(min=1)
    upright = (width // height).clamp(max=1)  # 1 where the height is the shorter side, or equal
    difference = (new_long - new_short) * times
    return new_long * times - upright * difference, new_short * times + upright * difference


def _in_proportion(length: Any, new: Any, old: Any) -> Any:
    """`length * new / old`, rounded half up."""
    return (length * new + old // 2) // old


def fit_squares(images: Tensor, fit: SquareFit) -> Tensor:
    """Squares, uint8 (b, c, side, side), of stored images (b, c, h, w) of one size, as `fit_image` makes them."""
    height, width = images.shape[-2:]
    found = fit.locate(*_as_tensors(images), _smaller, _larger)
    top, left, high, wide = found.box
    at_top, at_left, out_height, out_width = found.target
    down, in_rows = sample_weights(fit.side, height, (top, high), (at_top, out_height), images.device)
    across, in_columns = sample_weights(fit.side, width, (left, wide), (at_left, out_width), images.device)
    squares = resample_images(images, down, across)
    if fit.kind != "pad":
        return squares
    colour = torch.tensor(fit.fill, dtype=torch.uint8, device=images.device).view(1, -1, 1, 1)
    return torch.where(in_rows[:, None] & in_columns, squares, colour)


def _smaller(length: Any, other: Any) -> Tensor:
    return torch.minimum(torch.as_tensor(length), torch.as_tensor(other))


def _larger(length: Any, other: Any) -> Tensor:
    return torch.maximum(torch.as_tensor(length), torch.as_tensor(other))


def _as_tensors(images: Tensor) -> tuple[Tensor, Tensor]:
    """Height and width of images, int64."""
    one = torch.ones((), dtype=torch.int64, device=images.device)
    return one * images.shape[-2], one * images.shape[-1]


def convert_channels(images: Tensor, channels: int) -> Tensor:
    """Images with 1 or 3 channels: grey is repeated, colours are converted to grey."""
    return _to_grey(_to_colour(images)) if channels == 1 else _to_colour(images)


def _resize_centre(images: Tensor, height: Any, width: Any) -> Tensor:
    """The centre of the images that has this aspect, resized to it."""
    device = images.device
    high, wide = (torch.ones((), dtype=torch.float64, device=device) * length for length in images.shape[-2:])
    scale = torch.maximum(height / high, width / wide)
    kept_wide, kept_high = torch.minimum(wide, width / scale), torch.minimum(high, height / scale)
    across, _ = sample_weights(width, images.shape[-1], ((wide - kept_wide) / 2, kept_wide), (0, width), device)
    down, _ = sample_weights(height, images.shape[-2], ((high - kept_high) / 2, kept_high), (0, height), device)
    return resample_images(images, down, across)


def _to_colour(images: Tensor) -> Tensor:
    """Three channels, grey repeated; without a branch on the number of channels, which an exporter would fix."""
    return images.index_select(1, torch.arange(3, device=images.device) * (images.shape[1] // 3))


def _to_grey(images: Tensor) -> Tensor:
    weights = torch.tensor(LUMINANCE, dtype=torch.int32, device=images.device).view(1, 3, 1, 1)
    total = (images.to(torch.int32) * weights).sum(dim=1, keepdim=True, dtype=torch.int32)
    return ((total + 32768) // 65536).to(torch.uint8)
