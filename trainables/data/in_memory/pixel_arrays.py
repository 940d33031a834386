"""Arrays and tensors of pixels: their type, and which axis is that of the channels; what is not sure is refused."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trainables.common.errors import UserError

ChannelAxis = Literal["first", "last"]
"""Whether an image's channels are before its height and width, as in torch, or behind them, as in Pillow."""
CHANNELS = (1, 3)
"""Grey, and RGB."""


def to_numpy(array: Any) -> NDArray[Any]:
    """An array or tensor, on any device, as a numpy array; without a copy where it is on the CPU."""
    if hasattr(array, "detach") and hasattr(array, "cpu"):
        array = array.detach().cpu().numpy()
    return np.asarray(array)


def to_pixels(array: Any, what: str) -> NDArray[np.uint8]:
    """An array or tensor of pixels; raises `UserError`, beginning with `what`, unless it is uint8 and has pixels."""
    found = to_numpy(array)
    said = f"{what}: {found.dtype} {found.shape}"
    if found.dtype == object:
        raise UserError(f"{said}: images of several sizes; give them as a list, one array or PIL image each")
    if found.dtype != np.uint8:
        is_tensor = hasattr(array, "detach")
        scaled = "(255 * x).round()" if found.dtype.kind == "f" else "x"
        cast = ".to(torch.uint8)" if is_tensor else ".astype('uint8')"
        raise UserError(f"{said}; pixels are uint8 from 0 to 255: give, say, {scaled}{cast}, before any normalisation")
    if not all(found.shape):
        raise UserError(f"{said}; it holds no pixels")
    return found


def find_channel_axis(shape: tuple[int, ...], given: ChannelAxis | None, what: str) -> ChannelAxis:
    """The axis of the channels of an image, whose `shape` is (c, h, w) or (h, w, c), c being 1 or 3.

    Raises `UserError` where both or none can be, unless `given` says which, and where that is not true.
    """
    fits: dict[ChannelAxis, bool] = {"first": shape[0] in CHANNELS, "last": shape[-1] in CHANNELS}
    if given:
        if not fits[given]:
            raise UserError(f"{what}: channels={given!r}, but an image is {shape}; a grey one has 1, an RGB one 3")
        return given
    if all(fits.values()):
        raise UserError(
            f"{what}: an image is {shape}, whose channels may be first or last; give channels='first' or 'last'"
        )
    if not any(fits.values()):
        remedy = "x[..., :3] leaves out transparency" if shape[-1] == 4 else "grey images have 1, RGB ones 3"
        raise UserError(f"{what}: an image is {shape}, and none of its axes is that of the channels; {remedy}")
    return "first" if fits["first"] else "last"


def channels_last(images: NDArray[np.uint8], given: ChannelAxis | None, what: str) -> NDArray[np.uint8]:
    """A batch (n, h, w), (n, h, w, c) or (n, c, h, w) as (n, h, w, c); raises as `find_channel_axis` does."""
    if images.ndim == 3:
        return images[..., None]
    if images.ndim != 4:
        raise UserError(f"{what}: uint8 {images.shape}; images are (n, h, w), (n, h, w, c) or (n, c, h, w)")
    first = find_channel_axis(images.shape[1:], given, what) == "first"
    return images.transpose(0, 2, 3, 1) if first else images


def image_batch(array: NDArray[np.uint8], grey: bool, given: ChannelAxis | None, what: str) -> NDArray[np.uint8]:
    """One image, or a batch, as (n, h, w, c), as a classifier of `grey` or RGB images takes it.

    (h, w) is one image and 4 axes are a batch. 3 axes are one image where one of them is that of its channels, except
    that a classifier of grey images takes (n, h, w) as a batch, n being 1 or 3, too. Raises `UserError` for (3, h, w)
    to a classifier of grey images: it may be three grey images or an RGB one, unless `given` says which.
    """
    if array.ndim == 2:
        return array[None, :, :, None]
    if array.ndim != 3:
        return channels_last(array, given, what)
    if grey and array.shape[-1] not in CHANNELS and (array.shape[0] != 3 or given is None):
        if array.shape[0] != 3:
            return array[..., None]
        raise UserError(
            f"{what}: uint8 {array.shape} may be three grey images or an RGB one; give x[..., None] for grey images, "
            "or channels='first' for one image"
        )
    if not grey and not {array.shape[0], array.shape[-1]} & set(CHANNELS):
        raise UserError(
            f"{what}: uint8 {array.shape}; this classifier was trained on RGB images: give an image (h, w, 3), or a "
            "batch (n, h, w, 3); of grey images x[..., None]"
        )
    first = find_channel_axis(array.shape, given, what) == "first"
    return array.transpose(1, 2, 0)[None] if first else array[None]
