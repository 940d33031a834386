"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009), read from the archives of their binary versions, which hold no pickles."""

import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.common.errors import UserError
from trainables.common.licence import Licence
from trainables.data.data_options import DataOptions
from trainables.data.sources.download import download_file
from trainables.data.sources.source import DataSource, Part, RawSet, make_array_part

BASE_URL = "https://www.cs.toronto.edu/~kriz/"
IMAGE_SHAPE = (3, 32, 32)


@dataclass(frozen=True)
class CifarArchive:
    """The archive of one data set; its members are read without unpacking it."""

    file: str
    """File name at `BASE_URL`."""
    sha256: str
    """Expected digest of the file."""
    names: str
    """Member with the class names, one a line."""
    train: tuple[str, ...]
    """Members with the training images."""
    test: tuple[str, ...]
    """Members with the test images."""
    header: int
    """Bytes before the pixels of each image; the last one is the label."""


CIFAR10 = CifarArchive(
    file="cifar-10-binary.tar.gz",
    sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    names="cifar-10-batches-bin/batches.meta.txt",
    train=tuple(f"cifar-10-batches-bin/data_batch_{number}.bin" for number in range(1, 6)),
    test=("cifar-10-batches-bin/test_batch.bin",),
    header=1,
)
CIFAR100 = CifarArchive(
    file="cifar-100-binary.tar.gz",
    sha256="58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
    names="cifar-100-binary/fine_label_names.txt",
    train=("cifar-100-binary/train.bin",),
    test=("cifar-100-binary/test.bin",),
    header=2,
)


def open_cifar10(downloads: Path, _options: DataOptions) -> RawSet:
    """50,000 training and 10,000 test images in 10 classes; raises `UserError` if they cannot be downloaded."""
    return _open("cifar10", CIFAR10, downloads)


def open_cifar100(downloads: Path, _options: DataOptions) -> RawSet:
    """50,000 training and 10,000 test images in 100 classes; raises `UserError` if they cannot be downloaded."""
    return _open("cifar100", CIFAR100, downloads)


def _open(name: str, archive: CifarArchive, downloads: Path) -> RawSet:
    try:
        file = download_file(BASE_URL + archive.file, archive.sha256, downloads)
    except OSError as error:
        raise UserError(
            f"--data {name!r}: cannot be downloaded ({error}); give a folder with its parquet files or images instead"
        ) from error
    return read_archive(name, archive, file)


def read_archive(name: str, archive: CifarArchive, file: Path) -> RawSet:
    """Read the data set of a local archive."""
    with tarfile.open(file) as packed:
        classes = tuple(_read(packed, archive.names).decode().split())
        parts = {
            "train": _part(packed, archive.train, archive.header),
            "test": _part(packed, archive.test, archive.header),
        }
    return RawSet(
        name=name,
        classes=classes,
        parts=parts,
        channels=IMAGE_SHAPE[0],
        height=IMAGE_SHAPE[1],
        width=IMAGE_SHAPE[2],
        identity=name,
    )


def _part(packed: tarfile.TarFile, members: tuple[str, ...], header: int) -> Part:
    content = b"".join(_read(packed, member) for member in members)
    records: NDArray[np.uint8] = np.frombuffer(content, np.uint8).reshape(-1, header + int(np.prod(IMAGE_SHAPE)))
    images = records[:, header:].reshape(-1, *IMAGE_SHAPE).transpose(0, 2, 3, 1)
    return make_array_part(images, records[:, header - 1].astype(np.int64))


def _read(packed: tarfile.TarFile, member: str) -> bytes:
    found = packed.extractfile(member)
    if found is None:
        raise UserError(f"{packed.name!s}: {member!r} is no file")
    return found.read()


CIFAR10_SOURCE = DataSource(
    summary="60,000 32x32 photographs in 10 classes",
    open=open_cifar10,
    licence=Licence(terms="CIFAR-10, published without a licence"),
)
CIFAR100_SOURCE = DataSource(
    summary="60,000 32x32 photographs in 100 classes",
    open=open_cifar100,
    licence=Licence(terms="CIFAR-100, published without a licence"),
)
