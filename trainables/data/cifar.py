"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009), by torchvision's download."""

from pathlib import Path
from typing import Any

import numpy as np

from trainables.data.part import RawSet, array_part
from trainables.errors import UserError


def open_cifar10(downloads: Path) -> RawSet:
    """50,000 training and 10,000 test images in 10 classes; raises `UserError` where they cannot be downloaded."""
    from torchvision.datasets import CIFAR10

    return _open("cifar10", CIFAR10, downloads)


def open_cifar100(downloads: Path) -> RawSet:
    """50,000 training and 10,000 test images in 100 classes; raises `UserError` where they cannot be downloaded."""
    from torchvision.datasets import CIFAR100

    return _open("cifar100", CIFAR100, downloads)


def _open(name: str, dataset: Any, downloads: Path) -> RawSet:
    try:
        train = dataset(str(downloads), train=True, download=True)
        test = dataset(str(downloads), train=False, download=True)
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"--data {name!r}: cannot be downloaded ({error}); give a folder with its parquet files or images instead"
        ) from error
    return RawSet(
        name=name,
        classes=tuple(train.classes),
        parts={
            "train": array_part(train.data, np.array(train.targets)),
            "test": array_part(test.data, np.array(test.targets)),
        },
        channels=3,
        height=32,
        width=32,
        identity=name,
    )
