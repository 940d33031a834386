"""Fashion-MNIST (arXiv:1708.07747), from Debian's `dataset-fashion-mnist` package or by torchvision's download."""

import gzip
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.data.part import Part, RawSet, array_part
from trainables.errors import UserError

CLASSES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
FILES = {"train": "train", "test": "t10k"}


def open_fashion_mnist(downloads: Path) -> RawSet:
    """60,000 training and 10,000 test images; raises `UserError` where they are neither installed nor downloadable."""
    root = DEBIAN if DEBIAN.is_dir() else _downloaded(downloads)
    return RawSet(
        name="fashion-mnist",
        classes=CLASSES,
        parts={part: _read_part(root, prefix) for part, prefix in FILES.items()},
        channels=1,
        height=28,
        width=28,
        identity="fashion-mnist",
    )


def _downloaded(downloads: Path) -> Path:
    from torchvision.datasets import FashionMNIST

    try:
        FashionMNIST(str(downloads), train=True, download=True)
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"--data 'fashion-mnist': cannot be downloaded ({error}); "
            "`apt-get install dataset-fashion-mnist` brings it without a download"
        ) from error
    return downloads / "FashionMNIST" / "raw"


def _read_part(root: Path, prefix: str) -> Part:
    images = _read_idx(root / f"{prefix}-images-idx3-ubyte.gz", header=16).reshape(-1, 28, 28, 1)
    labels = _read_idx(root / f"{prefix}-labels-idx1-ubyte.gz", header=8)
    return array_part(images, labels.astype(np.int64))


def _read_idx(path: Path, header: int) -> NDArray[np.uint8]:
    with gzip.open(path) as file:
        return np.frombuffer(file.read(), dtype=np.uint8, offset=header)
