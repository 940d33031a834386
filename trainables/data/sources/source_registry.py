"""Where images come from: one record a source, and the one function that finds the source a name or path means."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.common.closest_match import suggest
from trainables.common.errors import UserError
from trainables.common.licence import Licence
from trainables.data.sources import cifar, digits, fashion_mnist, image_folder, parquet
from trainables.data.sources.source import RawSet
from trainables.storage.cache import cache_folder
from trainables.storage.local_copy import copied
from trainables.storage.object_store.remote import is_url


@dataclass(frozen=True)
class Source:
    """A data set known by name."""

    summary: str
    """One line for `--help` and the README."""
    open: Callable[[Path], RawSet]
    """Opens the set; its argument is a folder where downloads may be kept."""
    licence: Licence
    """Terms of its images."""
    pixels: str = ""
    """How its published pixels became values from 0 to 255; empty where they are these already."""


UNSAID = "published without a licence"
SOURCES: dict[str, Source] = {
    "digits": Source(
        "1,797 grey 8x8 digits, embedded in scikit-learn", digits.open_digits,
        Licence(id="cc-by-4.0", terms="UCI's Optical Recognition of Handwritten Digits"), digits.PIXELS,
    ),
    "fashion-mnist": Source(
        "70,000 grey 28x28 articles of clothing", fashion_mnist.open_fashion_mnist,
        Licence(id="mit", terms="Zalando's Fashion-MNIST"),
    ),
    "cifar10": Source(
        "60,000 32x32 photographs in 10 classes", cifar.open_cifar10, Licence(terms=f"CIFAR-10, {UNSAID}")
    ),
    "cifar100": Source(
        "60,000 32x32 photographs in 100 classes", cifar.open_cifar100, Licence(terms=f"CIFAR-100, {UNSAID}")
    ),
}  # fmt: skip
OWN = Licence(terms="images of a folder, whose licence is not known here")


def licence_of_data(origin: str) -> Licence:
    """Terms of what `--data` names."""
    return SOURCES[origin].licence if origin in SOURCES else OWN


def pixels_of_data(origin: str) -> str:
    """How the published pixels of what `--data` names became values from 0 to 255; empty where they are these."""
    return SOURCES[origin].pixels if origin in SOURCES else ""


def open_source(origin: str) -> RawSet:
    """Open what `--data` names: a source in `SOURCES`, or a folder or URL of images or parquet files.

    A URL's files are fetched into this machine's cache first, where they have not changed. Raises `UserError` if it is
    none of these, or not a usable data set.
    """
    if origin in SOURCES:
        return SOURCES[origin].open(cache_folder() / "downloads")
    path = fetch_source(origin) if is_url(origin) else Path(os.path.expanduser(origin))
    if not path.exists():
        known = ", ".join(SOURCES)
        raise UserError(
            f"--data {origin!r}: neither a known data set ({known}) nor an existing folder{suggest(path.name, SOURCES)}"
        )
    if not path.is_dir():
        raise UserError(f"--data {origin!r}: is a file; give the folder that holds the images or parquet files")
    raw = parquet.open_parquet(path) if parquet.holds_parquet(path) else image_folder.open_folder(path)
    return checked(raw, origin)


def fetch_source(url: str) -> Path:
    """Local folder with a copy of the files at `url` as they are now; raises `UserError` where there are none."""
    return copied("--data", url, "data", "there are no files").folder


def checked(raw: RawSet, origin: str) -> RawSet:
    """Return `raw` if it can be searched on.

    Raises `UserError` for one class, a label that is no class's number, or a class without training images.
    """
    if len(raw.classes) < 2:
        raise UserError(f"--data {origin!r}: only one class, {raw.classes[0]!r}; a classifier needs at least 2")
    for name, part in raw.parts.items():
        wrong = part.labels[(part.labels < 0) | (part.labels >= len(raw.classes))]
        if len(wrong):
            raise UserError(
                f"--data {origin!r}: {len(wrong):,} images of {name} have labels such as {wrong[0]}; "
                f"labels are 0 to {len(raw.classes) - 1} (-1 is how hubs mark unlabelled parts: leave those out)"
            )
    counts: NDArray[np.int64] = np.bincount(raw.parts["train"].labels, minlength=len(raw.classes))
    if not counts.all():
        raise UserError(f"--data {origin!r}: class {raw.classes[int(counts.argmin())]!r} has no training image")
    return raw
