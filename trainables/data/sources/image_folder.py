"""A folder of images in class folders, with splits or without."""

from pathlib import Path

import numpy as np

from trainables.common.errors import UserError
from trainables.common.escaping import decodable
from trainables.data.data_options import DataOptions
from trainables.data.decoding.bad_images import BadImage
from trainables.data.layouts.detected_layout import DetectedLayout
from trainables.data.layouts.folder_layout import FolderLayout, find_layout
from trainables.data.layouts.left_out import LeftOut, LeftOutReason
from trainables.data.layouts.left_out_counts import count_left_out
from trainables.data.layouts.listing import FileListing, list_classes
from trainables.data.sources.image_file_set import (
    ImageFileSet,
    ImageHeader,
    LabelledFiles,
    digest_files,
    read_headers,
)
from trainables.data.sources.source import DataSource, RawSet

ClassListings = dict[str, FileListing]
"""The listing of each class folder."""


def open_folder(path: Path, options: DataOptions) -> RawSet:
    """Open a folder of images; images with a bad header are in `bad_images`.

    Raises `UserError` if the layout is ambiguous, there are no images, or a class has no usable training image.
    """
    try:
        layout = find_layout(path)
        parts = {part: list_classes(folders, path) for part, folders in layout.classes.items()}
        _check_classes(path, parts)
        heads, refused = _read_headers(parts, options)
        identity = f"folder {digest_files(path, heads, refused).hexdigest()}"
    except OSError as error:
        raise UserError(f"--data {str(path)!r}: cannot be listed ({error})") from error
    classes = sorted(parts["train"])
    return ImageFileSet(
        name=decodable(path.resolve().name),
        root=path,
        classes=tuple(classes),
        parts={
            part: _labelled_files([[file for file in _images(found, name) if file in heads] for name in classes])
            for part, found in parts.items()
        },
        heads=heads,
        bad_images=refused,
        layout=_detected_layout(layout, parts),
    ).to_raw_set(identity, options)


def _labelled_files(files: list[list[Path]]) -> LabelledFiles:
    """One part, from the files of each class."""
    labels = np.repeat(np.arange(len(files)), [len(found) for found in files]).astype(np.int64)
    return LabelledFiles(tuple(file for found in files for file in found), labels)


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


def _read_headers(
    parts: dict[str, ClassListings], options: DataOptions
) -> tuple[dict[Path, ImageHeader], tuple[BadImage, ...]]:
    """Headers of the good images, and the bad images; raises `UserError` for a class of bad images only."""
    heads: dict[Path, ImageHeader] = {}
    refused: list[BadImage] = []
    files = [file for classes in parts.values() for listing in classes.values() for file in listing.images]
    found = iter(read_headers(files, options))
    for part, classes in parts.items():
        for name, listing in classes.items():
            bad = list(listing.bad_images)
            for file, head in zip(listing.images, found, strict=False):
                if isinstance(head, BadImage):
                    bad.append(head)
                else:
                    heads[file] = head
            if bad and len(bad) == len(listing.images) + len(listing.bad_images):
                raise _only_bad_error(part, name, bad)
            refused += bad
    return heads, tuple(refused)


def _only_bad_error(part: str, name: str, bad: list[BadImage]) -> UserError:
    return UserError(
        f"--data: class folder {name!r} of {part} holds only bad images, {len(bad):,}; the first: {bad[0]}"
    )


SOURCE = DataSource(summary="a folder of images in class folders", recognizes=Path.is_dir, open=open_folder)
