"""How an image of any size becomes the square that a network sees: by its centre square, padded, or stretched.

`SquareFit.locate` is the one definition, in whole numbers; Pillow does it here, and exported graphs do the same
(`trainables.export.formats.resize`). All resampling is Pillow's bicubic, uint8 -> uint8.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

FitKind = Literal["crop", "pad", "stretch"]
FIT_KINDS: tuple[FitKind, ...] = ("crop", "pad", "stretch")
SHARE_PARTS = 10_000
"""Parts of a side, in which the crop's share is rounded, so that every program computes the same pixels."""
MIN_ASPECT, MAX_ASPECT = 3 / 4, 4 / 3
"""Width divided by height of a random part of an image, at least and at most (arXiv:1409.4842)."""


@dataclass(frozen=True)
class SquarePlacement:
    """Which part of an image fills which part of the square; the rest of the square has the constant colour."""

    box: tuple[float, float, float, float]
    """Top, left, height and width of the part of the image, in pixels."""
    target: tuple[int, int, int, int]
    """Top, left, height and width of what it fills, in pixels of the square."""


@dataclass(frozen=True)
class SquareFit:
    """How an image becomes a square of `side` x `side` pixels."""

    kind: FitKind
    """`crop`: the centre square; `pad`: the whole image, on one colour; `stretch`: the whole image, distorted."""
    side: int
    """Side of the square, in pixels."""
    crop: float = 1.0
    """Share of the shorter side that `crop` keeps, where that is still at least `side` pixels."""
    fill: tuple[int, ...] = ()
    """Colour around a padded image, a number from 0 to 255 for each channel; empty where nothing is padded."""

    @property
    def label(self) -> str:
        """A name for files of what it makes."""
        crop = f"-{round(self.crop * SHARE_PARTS)}" if self.kind == "crop" else ""
        fill = "".join(f"-{value}" for value in self.fill) if self.kind == "pad" else ""
        return f"{self.kind}-{self.side}{crop}{fill}"

    def locate(
        self, height: Any, width: Any, smaller: Callable[..., Any] = min, larger: Callable[..., Any] = max
    ) -> SquarePlacement:
        """Where a whole image goes. Its sizes may be tensors, with `smaller` and `larger` for these.

        It has no branch on sizes, which a traced graph would fix.
        """
        side = self.side
        if self.kind == "crop":
            shorter = smaller(height, width)
            kept = (shorter * round(self.crop * SHARE_PARTS) + SHARE_PARTS // 2) // SHARE_PARTS
            kept = shorter + smaller(1, kept // side) * (kept - shorter)
            return SquarePlacement(((height - kept) // 2, (width - kept) // 2, kept, kept), (0, 0, side, side))
        if self.kind == "stretch":
            return SquarePlacement((0, 0, height, width), (0, 0, side, side))
        longer = larger(height, width)
        high, wide = (larger(1, (2 * length * side + longer) // (2 * longer)) for length in (height, width))
        return SquarePlacement((0, 0, height, width), ((side - high) // 2, (side - wide) // 2, high, wide))

    def locate_part(self, height: int, width: int, share: float, draws: Sequence[float]) -> SquarePlacement:
        """Where a random part goes, of at least `share` of the image's area, by four uniform draws in [0, 1).

        They choose area, aspect, top and left. Under `crop`, the aspect is that of the part (arXiv:1409.4842); under
        the others, relative to the image's own, so that a part is padded or distorted as whole images are.
        """
        area = share + (1 - share) * draws[0]
        aspect = math.exp(math.log(MIN_ASPECT) + draws[1] * math.log(MAX_ASPECT / MIN_ASPECT))
        high, wide = math.sqrt(area / aspect), math.sqrt(area * aspect)
        if self.kind == "crop":
            relative = math.sqrt(width / height)
            high, wide = high * relative, wide / relative
        part_height, part_width = max(1.0, height * min(1.0, high)), max(1.0, width * min(1.0, wide))
        box = draws[2] * (height - part_height), draws[3] * (width - part_width), part_height, part_width
        side = self.side
        if self.kind != "pad":
            return SquarePlacement(box, (0, 0, side, side))
        longer = max(part_height, part_width)
        out_height, out_width = (max(1, round(length * side / longer)) for length in (part_height, part_width))
        return SquarePlacement(box, ((side - out_height) // 2, (side - out_width) // 2, out_height, out_width))


def fit_image(
    image: NDArray[np.uint8], fit: SquareFit, out: NDArray[np.uint8], placement: SquarePlacement | None = None
) -> None:
    """Write the square of an image (c, h, w) into `out` (c, side, side); `placement` is the whole image's by default.

    Pillow releases the interpreter's lock while it resamples, so threads do it side by side.
    """
    height, width = image.shape[1:]
    found = placement or fit.locate(height, width)
    if found.box == (0, 0, height, width) and found.target == (0, 0, height, width):
        out[:] = image
        return
    top, left, high, wide = found.box
    at_top, at_left, out_height, out_width = found.target
    if (out_height, out_width) != out.shape[1:]:
        out[:] = np.array(fit.fill, np.uint8)[:, None, None]
    place = out[:, at_top : at_top + out_height, at_left : at_left + out_width]
    # Rows that no output pixel is made of are not resampled across.
    reach = 1 + math.ceil(2 * max(1.0, high / out_height))
    first, last = max(0, math.floor(top) - reach), min(height, math.ceil(top + high) + reach)
    for plane, resized in zip(image, place, strict=True):  # a plane at a time, which needs no interleaved copy
        rows = np.ascontiguousarray(plane[first:last])
        picture = Pillow.frombuffer("L", (width, last - first), rows, "raw", "L", 0, 1)
        box = left, top - first, min(left + wide, width), min(top + high, height) - first
        resized[:] = np.asarray(resample(picture, (out_width, out_height), box))


def resample(picture: Pillow.Image, size: tuple[int, int], box: tuple[float, float, float, float]) -> Pillow.Image:
    """Resize the box (left, top, right, bottom) of a picture to `size` (width, height), across, then down.

    Pillow would choose the order, by its version, and the rounding in between is not the same.
    """
    bicubic = Pillow.Resampling.BICUBIC
    across = picture.resize((size[0], picture.height), bicubic, box=(box[0], 0, box[2], picture.height))
    return across.resize(size, bicubic, box=(0, box[1], size[0], box[3]))
