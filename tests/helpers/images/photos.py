"""Made photographs of several sizes, whose class is a colour at the left and right edge."""

from pathlib import Path

import numpy as np
from PIL import Image

SIZES = ((40, 64), (48, 48), (70, 44), (36, 90), (24, 30))
"""Heights and widths."""
EDGES = {"red": (200, 60, 60), "blue": (60, 60, 200)}


def make_photo(colour: tuple[int, int, int], size: tuple[int, int], seed: int) -> Image.Image:
    """Smooth noise, whose outer quarters along the longer side have the colour."""
    rng = np.random.default_rng(seed)
    small = rng.integers(60, 200, (5, 5, 3), dtype=np.uint8)
    pixels = np.array(Image.fromarray(small).resize(size[::-1], Image.Resampling.BICUBIC))
    along = pixels if size[0] > size[1] else pixels.transpose(1, 0, 2)
    quarter = len(along) // 4
    noise = rng.integers(-30, 30, (quarter, along.shape[1], 3))
    along[:quarter] = along[-quarter:] = (np.array(colour) + noise).astype(np.uint8)
    return Image.fromarray(pixels)


def write_photos(
    folder: Path, counts: dict[str, int], sizes: tuple[tuple[int, int], ...] = SIZES, suffix: str = ".png"
) -> Path:
    """A folder of splits with so many images of each class; the sizes follow one another."""
    for place, (split, count) in enumerate(counts.items()):
        for label, colour in EDGES.items():
            (folder / split / label).mkdir(parents=True)
            for number in range(count):
                seed = 10_000 * place + 100 * len(label) + number
                photo = make_photo(colour, sizes[number % len(sizes)], seed)
                photo.save(folder / split / label / f"{number}{suffix}", quality=95)
    return folder
