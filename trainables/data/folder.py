"""A folder of images: `train/CLASS/*`, with `val` and `test` beside it or not, or `CLASS/*` alone."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trainables.data.decode import Decoder, common_shape, probe
from trainables.data.part import Part, RawSet
from trainables.errors import UserError

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm", ".pgm"}
PART_NAMES = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}

Listing = dict[str, list[Path]]
"""Image files of each class."""


@dataclass(frozen=True)
class Files:
    """Image files by number."""

    paths: tuple[Path, ...]
    """Of one part, class by class."""

    def __call__(self, i: int) -> tuple[Path, str]:
        """File of image i, and its name."""
        return self.paths[i], str(self.paths[i])


def open_folder(path: Path) -> RawSet:
    """Open a folder of images; raises `UserError` for no images, or parts without `train` or with other classes."""
    listings = _list_parts(path)
    classes = sorted(listings["train"])
    for part, listing in listings.items():
        if set(listing) != set(classes):
            differing = sorted(set(listing) ^ set(classes))
            raise UserError(
                f"--data {str(path)!r}: classes differ between train and {part}: {', '.join(differing[:5])}"
            )
    files = [file for listing in listings.values() for found in listing.values() for file in found]
    with ThreadPoolExecutor() as threads:
        probed = list(threads.map(lambda file: probe(file, str(file)), files))
    height, width = common_shape({(h, w) for h, w, _ in probed})
    channels = 1 if all(grey for _, _, grey in probed) else 3
    shape = (height, width, channels)
    return RawSet(
        name=path.resolve().name,
        classes=tuple(classes),
        parts={part: _part(listing, classes, shape) for part, listing in listings.items()},
        channels=channels,
        height=height,
        width=width,
        identity=_identity(path, files),
        encoded=True,
    )


def _list_parts(path: Path) -> dict[str, Listing]:
    folders = {child.name: child for child in sorted(path.iterdir()) if child.is_dir()}
    parts = {PART_NAMES[name]: child for name, child in folders.items() if name in PART_NAMES}
    if "train" in parts:
        return {part: _list_classes(child) for part, child in parts.items()}
    if parts:
        found = next(name for name in folders if name in PART_NAMES)
        raise UserError(
            f"--data {str(path)!r}: has a folder {found!r} but no 'train'; "
            "expected train/CLASS/*.jpg with val and test beside it or not, or CLASS/*.jpg"
        )
    return {"train": _list_classes(path)}


def _list_classes(path: Path) -> Listing:
    listing = {
        child.name: sorted(file for file in child.rglob("*") if file.suffix.lower() in SUFFIXES)
        for child in sorted(path.iterdir())
        if child.is_dir() and not child.name.startswith(".")
    }
    if not any(listing.values()):
        raise UserError(f"--data: no images under {str(path)!r}; expected {path.name}/CLASS/*.jpg (or png, webp, …)")
    empty = [name for name, files in listing.items() if not files]
    if empty:
        raise UserError(f"--data: class folder {str(path / empty[0])!r} holds no images")
    return listing


def _part(listing: Listing, classes: list[str], shape: tuple[int, int, int]) -> Part:
    files = [file for name in classes for file in listing[name]]
    labels = np.repeat(np.arange(len(classes)), [len(listing[name]) for name in classes])
    return Part(labels=labels.astype(np.int64), decode=Decoder(Files(tuple(files)), shape))


def _identity(path: Path, files: list[Path]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for file in files:
        stat = file.stat()
        digest.update(f"{file.relative_to(path)} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return f"folder {digest.hexdigest()}"
