"""The embedded default: scikit-learn's handwritten digits."""

from pathlib import Path

import numpy as np

from trainables.data.part import RawSet, array_part


def open_digits(_downloads: Path) -> RawSet:
    """1,797 grey 8x8 digits (UCI Optical Recognition of Handwritten Digits, test part); no split of its own."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = np.rint(bunch.images * (255 / 16)).astype(np.uint8)[..., None]
    return RawSet(
        name="digits",
        classes=tuple(str(i) for i in range(10)),
        parts={"train": array_part(images, bunch.target)},
        channels=1,
        height=8,
        width=8,
        identity="scikit-learn digits",
    )
