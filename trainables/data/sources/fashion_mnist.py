"""Fashion-MNIST (arXiv:1708.07747), from Debian's `dataset-fashion-mnist` package or by a download."""

import gzip
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.common.errors import UserError
from trainables.common.licence import Licence
from trainables.data.data_options import DataOptions
from trainables.data.sources.download import download_file
from trainables.data.sources.source import DataSource, Part, RawSet, make_array_part

CLASSES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
FILE_PREFIXES = {"train": "train", "test": "t10k"}
BASE_URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
SHA256 = {
    "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
}
"""Digests of the files at `BASE_URL`, which has no https."""


def open_fashion_mnist(downloads: Path, _options: DataOptions) -> RawSet:
    """60,000 training and 10,000 test images; raises `UserError` if they are not installed and cannot be downloaded."""
    root = DEBIAN_FOLDER if DEBIAN_FOLDER.is_dir() else _downloaded(downloads)
    return RawSet(
        name="fashion-mnist",
        classes=CLASSES,
        parts={part: _read_part(root, prefix) for part, prefix in FILE_PREFIXES.items()},
        channels=1,
        height=28,
        width=28,
        identity="fashion-mnist",
    )


def _downloaded(downloads: Path) -> Path:
    folder = downloads / "FashionMNIST" / "raw"
    try:
        for file, sha256 in SHA256.items():
            download_file(BASE_URL + file, sha256, folder)
    except OSError as error:
        raise UserError(
            f"--data 'fashion-mnist': cannot be downloaded ({error}); "
            "`apt-get install dataset-fashion-mnist` brings it without a download"
        ) from error
    return folder


def _read_part(root: Path, prefix: str) -> Part:
    images = _read_idx(root / f"{prefix}-images-idx3-ubyte.gz", header=16).reshape(-1, 28, 28, 1)
    labels = _read_idx(root / f"{prefix}-labels-idx1-ubyte.gz", header=8)
    return make_array_part(images, labels.astype(np.int64))


def _read_idx(path: Path, header: int) -> NDArray[np.uint8]:
    with gzip.open(path) as file:
        return np.frombuffer(file.read(), dtype=np.uint8, offset=header)


SOURCE = DataSource(
    summary="70,000 grey 28x28 articles of clothing",
    open=open_fashion_mnist,
    licence=Licence(id="mit", terms="Zalando's Fashion-MNIST"),
)
