"""A folder of images: `train/CLASS/*`, with `val` and `test` beside it or not, or `CLASS/*` alone."""

import hashlib
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trainables.data.bad import BadImage, BadImageError
from trainables.data.decode import Decoder, common_shape, probe
from trainables.data.listing import Listing, folders_in, link_fault, list_classes
from trainables.data.part import Part, RawSet
from trainables.errors import UserError
from trainables.printable import decodable

PART_NAMES = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}

Classes = dict[str, Listing]
"""What each class's folder holds."""
Head = tuple[int, int, bool]
"""An image's height, width and greyness."""


@dataclass(frozen=True)
class Files:
    """Image files by number."""

    paths: tuple[Path, ...]
    """Of one part, class by class."""
    root: Path
    """The data folder."""
    sizes: tuple[tuple[int, int], ...]
    """Height and width of each, in pixels, upright."""

    def __call__(self, row: int) -> Path:
        """File of an image."""
        return self.paths[row]

    def name(self, row: int) -> str:
        """Its name."""
        return str(self.paths[row])

    def path(self, row: int) -> str:
        """Its path within the data folder, with `/`."""
        return self.paths[row].relative_to(self.root).as_posix()

    def size(self, row: int) -> tuple[int, int]:
        """Its height and width."""
        return self.sizes[row]


def open_folder(path: Path) -> RawSet:
    """Open a folder of images; those whose header is bad are `refused`.

    Raises `UserError` for no images, a class without one that can be used, parts without `train` or with other classes.
    """
    try:
        parts = _list_parts(path)
        heads, refused = _probed(parts)
        identity = _identity(path, heads, refused)
    except OSError as error:
        raise UserError(f"--data {str(path)!r}: cannot be listed ({error})") from error
    classes = sorted(parts["train"])
    kept = {
        part: [[file for file in listings[name].images if file in heads] for name in classes]
        for part, listings in parts.items()
    }
    height, width = common_shape({(h, w) for h, w, _ in heads.values()})
    channels = 1 if all(grey for _, _, grey in heads.values()) else 3
    return RawSet(
        name=decodable(path.resolve().name),
        classes=tuple(classes),
        parts={part: _part(path, files, heads, (height, width, channels)) for part, files in kept.items()},
        channels=channels,
        height=height,
        width=width,
        identity=identity,
        encoded=True,
        refused=refused,
    )


def _list_parts(path: Path) -> dict[str, Classes]:
    """Classes of each part; raises `UserError` for a layout that is none, or classes that differ between parts."""
    named = {PART_NAMES[name]: folder for name, folder in folders_in(path).items() if name in PART_NAMES}
    if named and "train" not in named:
        raise UserError(
            f"--data {str(path)!r}: has a folder {next(iter(named.values())).name!r} but no 'train'; "
            "expected train/CLASS/*.jpg with val and test beside it or not, or CLASS/*.jpg"
        )
    for folder in named.values():
        if folder.is_symlink() and (fault := link_fault(folder, path.resolve())):
            raise UserError(f"--data: folder {str(folder)!r} is {fault}; links may lead to what is in it only")
    parts = {part: list_classes(folder, path) for part, folder in (named or {"train": path}).items()}
    for part, classes in parts.items():
        folder = named.get(part, path)
        if not any(listing.images or listing.refused for listing in classes.values()):
            raise UserError(
                f"--data: no images under {str(folder)!r}; expected {folder.name}/CLASS/*.jpg (or png, webp, …)"
            )
        if set(classes) != set(parts["train"]):
            differing = ", ".join(sorted(set(classes) ^ set(parts["train"]))[:5])
            raise UserError(f"--data {str(path)!r}: classes differ between train and {part}: {differing}")
    return parts


def _probed(parts: dict[str, Classes]) -> tuple[dict[Path, Head], tuple[BadImage, ...]]:
    """Headers of the images that have a good one, and the others; raises `UserError` for a class left with none."""
    heads: dict[Path, Head] = {}
    refused: list[BadImage] = []
    with ThreadPoolExecutor() as threads:
        for part, classes in parts.items():
            for name, listing in classes.items():
                bad = list(listing.refused)
                for file, head in zip(listing.images, threads.map(_probe, listing.images), strict=True):
                    if isinstance(head, BadImage):
                        bad.append(head)
                    else:
                        heads[file] = head
                if len(bad) == len(listing.images) + len(listing.refused):
                    raise _empty(part, name, bad)
                refused += bad
    return heads, tuple(refused)


def _probe(file: Path) -> Head | BadImage:
    try:
        return probe(file, str(file))
    except BadImageError as error:
        return error.image


def _empty(part: str, name: str, bad: list[BadImage]) -> UserError:
    if not bad:
        return UserError(f"--data: class folder {name!r} of {part} holds no images; put some there, or delete it")
    return UserError(
        f"--data: class folder {name!r} of {part} holds only bad images, {len(bad):,}; the first: {bad[0]}"
    )


def _part(root: Path, files: list[list[Path]], heads: dict[Path, Head], shape: tuple[int, int, int]) -> Part:
    """One part of the files of each class, which lie below `root`; `shape` is what they are decoded to."""
    labels = np.repeat(np.arange(len(files)), [len(found) for found in files]).astype(np.int64)
    paths = tuple(file for found in files for file in found)
    contents = Files(paths, root, tuple(heads[file][:2] for file in paths))
    return Part(labels, Decoder(contents, shape), contents.name, contents.path, contents.size)


def _identity(path: Path, files: Iterable[Path], refused: Iterable[BadImage]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for file in files:
        stat = file.stat()
        digest.update(os.fsencode(file.relative_to(path)) + f" {stat.st_size} {stat.st_mtime_ns}\n".encode())
    for image in refused:  # what is bad in them makes no difference: none of them is in the store
        digest.update(b"without " + os.fsencode(os.path.relpath(image.name, path)) + b"\n")
    return f"folder {digest.hexdigest()}"
