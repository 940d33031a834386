"""scikit-learn's handwritten digits, the default data set."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.common.licence import Licence
from trainables.data.data_options import DataOptions
from trainables.data.sources.source import DataSource, RawSet, make_array_part

DIGITS_FILE = "datasets/data/digits.csv.gz"
"""File in scikit-learn: 64 pixels from 0 to 16 and the label in each row; importing its loader would take a second."""

MAX_PIXEL = 16
"""Largest pixel value in scikit-learn."""
PIXELS = (
    f"scikit-learn's digits have pixels from 0 to {MAX_PIXEL}; here they are multiplied by 255 / {MAX_PIXEL} "
    "and rounded: "
    f'`numpy.rint(images * 255 / {MAX_PIXEL}).astype("uint8")`'
)
"""A note for users of scikit-learn's own images."""


def scale_pixels(pixels: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Scale pixels from 0 to 16 to 0 to 255."""
    scaled: NDArray[np.uint8] = np.rint(pixels * (255 / MAX_PIXEL)).astype(np.uint8)
    return scaled


def open_digits(_downloads: Path, _options: DataOptions) -> RawSet:
    """1,797 grey 8x8 digits (UCI Optical Recognition of Handwritten Digits, test part); no split of its own."""
    package = find_spec("sklearn")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("scikit-learn is not installed")
    rows = np.loadtxt(Path(package.origin).parent / DIGITS_FILE, delimiter=",")
    images = scale_pixels(rows[:, :-1].reshape(-1, 8, 8))[..., None]
    return RawSet(
        name="digits",
        classes=tuple(str(i) for i in range(10)),
        parts={"train": make_array_part(images, rows[:, -1].astype(np.int64))},
        channels=1,
        height=8,
        width=8,
        identity="scikit-learn digits",
    )


SOURCE = DataSource(
    summary="1,797 grey 8x8 digits, embedded in scikit-learn",
    open=open_digits,
    licence=Licence(id="cc-by-4.0", terms="UCI's Optical Recognition of Handwritten Digits"),
    pixels=PIXELS,
)
