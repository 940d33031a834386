"""Converts pictures of any mode (palette, CMYK, 16 bits, transparent) to grey or RGB of 8 bits."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

Image = NDArray[np.uint8]
"""One image, uint8, height x width x channels."""

GREY_MODES = {"1", "L", "LA", "La"}
VIA_RGB_MODES = {"YCbCr", "LAB"}
"""Modes that are converted to grey through RGB, as an exported model does."""
WHITE_16_BIT = 65535
"""White in 16 bits."""
ORIENTATION_KEYS = {"exif", "Raw profile type exif", "XML:com.adobe.xmp", "xmp"}
"""Keys of a picture's `info` from which Pillow reads its orientation."""
TRANSPOSES = {
    2: Pillow.Transpose.FLIP_LEFT_RIGHT,
    3: Pillow.Transpose.ROTATE_180,
    4: Pillow.Transpose.FLIP_TOP_BOTTOM,
    5: Pillow.Transpose.TRANSPOSE,
    6: Pillow.Transpose.ROTATE_270,
    7: Pillow.Transpose.TRANSVERSE,
    8: Pillow.Transpose.ROTATE_90,
}
"""Transposition for each EXIF orientation; from 5 on, height and width are swapped."""


def is_grey(picture: Pillow.Image) -> bool:
    """Whether a picture is grey, by its header."""
    return picture.mode in GREY_MODES or picture.mode.startswith("I")


def read_orientation(picture: Pillow.Image) -> int:
    """EXIF orientation, a key of `TRANSPOSES`; 1 (upright) if there is none, or it cannot be read."""
    if picture.format == "PNG" and not ORIENTATION_KEYS & set(picture.info):
        return 1  # Pillow would decode the pixels to find metadata behind them
    try:
        found = picture.getexif().get(274, 1)
    except Exception:  # damaged metadata does not make the picture bad
        return 1
    return int(found) if found in TRANSPOSES else 1


def convert_picture(picture: Pillow.Image, channels: int) -> Pillow.Image:
    """Convert a picture to mode L (1 channel) or RGB (3), upright, with transparent parts on white.

    Raises ValueError for pixels of unknown scale: floats, and integers of more than 16 bits.
    """
    turn = TRANSPOSES.get(read_orientation(picture))
    if picture.mode.startswith("I"):
        picture = _from_16_bits(picture)
    elif picture.mode == "F":
        raise ValueError("has floating-point pixels, whose scale is not known")
    elif picture.has_transparency_data:
        white = Pillow.new("RGBA", picture.size, "white")
        white.alpha_composite(picture.convert("RGBA"))
        picture = white
    elif picture.mode in VIA_RGB_MODES:
        picture = picture.convert("RGB")
    mode = "L" if channels == 1 else "RGB"
    converted = picture if picture.mode == mode else picture.convert(mode)  # avoids a copy
    return converted if turn is None else converted.transpose(turn)


def _from_16_bits(picture: Pillow.Image) -> Pillow.Image:
    """Scale 16 bits to 8; Pillow's own conversion clips at 255."""
    values: Any = np.asarray(picture)
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > WHITE_16_BIT:
        raise ValueError(f"has 32-bit pixels from {low} to {high}, whose scale is not known")
    transparent = picture.info.get("transparency")
    scaled = (values.astype(np.uint32) * 255 + WHITE_16_BIT // 2) // WHITE_16_BIT
    if isinstance(transparent, int):
        scaled[values == transparent] = 255
    return Pillow.fromarray(scaled.astype(np.uint8))
