"""Preview of the winner's augmentation: training images before and after it, in one picture, `augmented.png`."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainables.augmentation.augmentation_registry import CROP_DRAWS, DRAW_COLUMNS, FIRST_DRAWS
from trainables.config import TrialConfig

if TYPE_CHECKING:
    from trainables.models.preprocess import Preprocess

PREVIEW = "augmented.png"
ROWS, COLUMNS = 6, 8
"""Images, each of another class, and what is shown of each: itself, then versions of it."""
MAX_SIDE = 96
"""Side of a picture on the sheet, in pixels, at most."""


def augmented_versions(
    images: NDArray[np.uint8],
    config: TrialConfig,
    preprocess: "Preprocess",
    seed: int,
    make_parts: Callable[[NDArray[np.float32]], NDArray[np.uint8]] | None = None,
) -> NDArray[np.uint8]:
    """Uint8 (n, COLUMNS, side, side, channels) of images (n, c, h, w): each itself, then augmented; `seed` draws.

    `make_parts` gives squares of random parts of the images, each `COLUMNS - 1` times, by draws (n, 4).
    """
    import torch

    from trainables.augmentation.augment import augment
    from trainables.models.preprocess import scale

    plain = preprocess.resize(scale(torch.from_numpy(images)))
    count = len(plain) * (COLUMNS - 1)
    generator = torch.Generator().manual_seed(seed)
    widths = len(FIRST_DRAWS), len(DRAW_COLUMNS) - len(FIRST_DRAWS)
    draws = torch.cat([torch.rand(count, width, generator=generator) for width in widths], dim=1)
    if make_parts is None:
        repeated = plain.repeat_interleave(COLUMNS - 1, dim=0)
    else:
        columns = [DRAW_COLUMNS[name] for name in CROP_DRAWS]
        repeated = preprocess.resize(scale(torch.from_numpy(make_parts(draws[:, columns].numpy()))))
    augmented = augment(repeated, draws, config)
    each = torch.cat([plain[:, None], augmented.view(len(plain), COLUMNS - 1, *plain.shape[1:])], dim=1)
    found: NDArray[np.uint8] = (each * 255).round().clamp(0, 255).to(torch.uint8).permute(0, 1, 3, 4, 2).numpy()
    return found


def arrange_images(shown: NDArray[np.uint8]) -> Image.Image:
    """The images in rows and columns on a transparent ground, an eighth of a side apart."""
    rows, columns, own = shown.shape[:3]
    side = min(own, MAX_SIDE)
    step = side + max(1, side // 8)
    sheet = Image.new("RGBA", (columns * step - (step - side), rows * step - (step - side)))
    for row, column in np.ndindex(rows, columns):
        pixels = shown[row, column]
        image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).convert("RGBA")
        if side != own:
            image = image.resize((side, side), Image.Resampling.LANCZOS)
        sheet.paste(image, (column * step, row * step))
    return sheet
