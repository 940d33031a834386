"""A folder of images in class folders, with splits or without."""

import hashlib
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trainables.common.errors import UserError
from trainables.common.escaping import decodable
from trainables.data.data_options import DataOptions
from trainables.data.decoding.bad_images import BadImage, BadImageError
from trainables.data.decoding.decode import Decoder, common_shape, read_image_header
from trainables.data.layouts.detected_layout import DetectedLayout
from trainables.data.layouts.folder_layout import FolderLayout, find_layout
from trainables.data.layouts.left_out import LeftOut, LeftOutReason
from trainables.data.layouts.left_out_counts import count_left_out
from trainables.data.layouts.listing import FileListing, list_classes
from trainables.data.sources.source import DataSource, Part, RawSet

ClassListings = dict[str, FileListing]
"""The listing of each class folder."""
ImageHeader = tuple[int, int, bool]
"""Height, width and greyness of an image."""


@dataclass(frozen=True)
class FolderImages:
    """The image files of one part, by row."""

    paths: tuple[Path, ...]
    """Files, class by class."""
    root: Path
    """The data folder."""
    sizes: tuple[tuple[int, int], ...]
    """Height and width of each image, in pixels, upright."""

    def __call__(self, row: int) -> Path:
        """File of an image."""
        return self.paths[row]

    def name(self, row: int) -> str:
        """Name of an image in messages."""
        return str(self.paths[row])

    def path(self, row: int) -> str:
        """Path of an image relative to the data folder, with `/`."""
        return self.paths[row].relative_to(self.root).as_posix()

    def size(self, row: int) -> tuple[int, int]:
        """Height and width of an image."""
        return self.sizes[row]


def open_folder(path: Path, _options: DataOptions) -> RawSet:
    """Open a folder of images; images with a bad header are in `bad_images`.

    Raises `UserError` if the layout is ambiguous, there are no images, or a class has no usable training image.
    """
    try:
        layout = find_layout(path)
        parts = {part: list_classes(folders, path) for part, folders in layout.classes.items()}
        _check_classes(path, parts)
        heads, refused = _read_headers(parts)
        identity = _identity(path, heads, refused)
    except OSError as error:
        raise UserError(f"--data {str(path)!r}: cannot be listed ({error})") from error
    classes = sorted(parts["train"])
    kept = {
        part: [[file for file in _images(listings, name) if file in heads] for name in classes]
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
        bad_images=refused,
        layout=_detected_layout(layout, parts),
    )


def _images(classes: ClassListings, name: str) -> list[Path]:
    """Images of a class; empty if a part does not have it."""
    return classes[name].images if name in classes else []


def _is_empty(listing: FileListing) -> bool:
    return not (listing.images or listing.bad_images)


def _check_classes(path: Path, parts: dict[str, ClassListings]) -> None:
    """Raise `UserError` for classes without training images."""
    known = {name for name, listing in parts["train"].items() if not _is_empty(listing)}
    for part, classes in parts.items():
        for name in list(classes):
            if name in known or (part != "train" and _is_empty(classes[name]) and name not in parts["train"]):
                continue
            elsewhere = {other: len(_images(listings, name)) for other, listings in parts.items()}
            raise _untrained_error(path, name, elsewhere, classes[name].left_out, known)


def _untrained_error(
    path: Path, name: str, counts: dict[str, int], left_out: list[LeftOut], known: set[str]
) -> UserError:
    """The error for a class without training images; `counts` are its images in each part."""
    where = f"--data {str(path)!r}: class folder {name!r}"
    holding = ", ".join(f"{count:,} of {part}" for part, count in counts.items() if count)
    if holding:
        other = next((found for found in known if found.casefold() == name.casefold()), "")
        return UserError(
            f"{where} has images ({holding}), but none of train: what is tested must be trained on, too; put some into "
            f"train's folder {name!r}, or delete that folder elsewhere"
            + (f"; train has {other!r}, which differs in case alone" if other else "")
        )
    undecoded = [found for found in count_left_out(left_out) if found.reason == LeftOutReason.FORMAT]
    if undecoded:
        kinds = ", ".join(f"{found.count:,} {found.kind}" for found in undecoded)
        return UserError(f"{where} holds no images that are decoded here ({kinds}); convert them to JPEG or PNG")
    return UserError(
        f"{where} holds no images; put some there, or delete the folder"
        + (" from every split" if len(counts) > 1 else "")
    )


def _detected_layout(layout: FolderLayout, parts: dict[str, ClassListings]) -> DetectedLayout:
    within = [file for classes in parts.values() for listing in classes.values() for file in listing.left_out]
    return DetectedLayout(sources=layout.sources, left_out=(*layout.left_out, *within), warnings=layout.warnings)


def _read_headers(parts: dict[str, ClassListings]) -> tuple[dict[Path, ImageHeader], tuple[BadImage, ...]]:
    """Headers of the good images, and the bad images; raises `UserError` for a class of bad images only."""
    heads: dict[Path, ImageHeader] = {}
    refused: list[BadImage] = []
    with ThreadPoolExecutor() as threads:
        for part, classes in parts.items():
            for name, listing in classes.items():
                bad = list(listing.bad_images)
                for file, head in zip(listing.images, threads.map(_read_header, listing.images), strict=True):
                    if isinstance(head, BadImage):
                        bad.append(head)
                    else:
                        heads[file] = head
                if bad and len(bad) == len(listing.images) + len(listing.bad_images):
                    raise _only_bad_error(part, name, bad)
                refused += bad
    return heads, tuple(refused)


def _read_header(file: Path) -> ImageHeader | BadImage:
    try:
        return read_image_header(file, str(file))
    except BadImageError as error:
        return error.image


def _only_bad_error(part: str, name: str, bad: list[BadImage]) -> UserError:
    return UserError(
        f"--data: class folder {name!r} of {part} holds only bad images, {len(bad):,}; the first: {bad[0]}"
    )


def _part(root: Path, files: list[list[Path]], heads: dict[Path, ImageHeader], shape: tuple[int, int, int]) -> Part:
    """One part, from the files of each class below `root`; `shape` is that of decoded images."""
    labels = np.repeat(np.arange(len(files)), [len(found) for found in files]).astype(np.int64)
    paths = tuple(file for found in files for file in found)
    contents = FolderImages(paths, root, tuple(heads[file][:2] for file in paths))
    return Part(labels, Decoder(contents, shape), contents.name, contents.path, contents.size)


def _identity(path: Path, files: Iterable[Path], refused: Iterable[BadImage]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for file in files:
        stat = file.stat()
        digest.update(os.fsencode(file.relative_to(path)) + f" {stat.st_size} {stat.st_mtime_ns}\n".encode())
    for image in refused:  # the reason makes no difference: none of them is in the store
        digest.update(b"without " + os.fsencode(os.path.relpath(image.name, path)) + b"\n")
    return f"folder {digest.hexdigest()}"


SOURCE = DataSource(summary="a folder of images in class folders", recognizes=Path.is_dir, open=open_folder)
