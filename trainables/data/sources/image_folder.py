"""A folder of images in class folders, with splits or without."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from trainables.common.errors import UserError
from trainables.common.escaping import decodable
from trainables.data.data_options import DataOptions
from trainables.data.decoding.bad_images import BadImage
from trainables.data.layouts.classes.trained_classes import ClassListings, check_trained_classes
from trainables.data.layouts.detected_layout import DetectedLayout
from trainables.data.layouts.folder_layout import FolderLayout, find_layout
from trainables.data.layouts.links import take_out_links
from trainables.data.layouts.listing import list_classes
from trainables.data.sources.image_file_set import (
    ImageFileSet,
    ImageHeader,
    LabelledFiles,
    digest_files,
    read_headers,
)
from trainables.data.sources.source import DataSource, RawSet


def open_folder(path: Path, options: DataOptions) -> RawSet:
    """Open a folder of images; images with a bad header are in `bad_images`.

    Raises `UserError` if the layout is ambiguous, there are no images, or a class has no usable training image.
    """
    try:
        layout = find_layout(path, options.follow_links)
        parts = {
            part: layout.labelled[part].listings
            if part in layout.labelled
            else list_classes(found, path, options.follow_links)
            for part, found in layout.classes.items()
        }
        layout = replace(layout, warnings=(*layout.warnings, *take_out_links(parts, path)))
        check_trained_classes(path, parts)
        heads, refused = _read_headers(parts, options)
        identity = _identity(path, layout, heads, refused)
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


def _detected_layout(layout: FolderLayout, parts: Mapping[str, ClassListings]) -> DetectedLayout:
    within = [file for classes in parts.values() for listing in classes.values() for file in listing.left_out]
    unlabelled = [file for found in layout.labelled.values() for file in found.left_out]
    return DetectedLayout(layout.sources, left_out=(*layout.left_out, *within, *unlabelled), warnings=layout.warnings)


def _read_headers(
    parts: Mapping[str, ClassListings], options: DataOptions
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
        f"--data: class folder {name!r} of {part} holds only bad images, {len(bad):,}; the first: {bad[0]}; "
        "replace them, or move the folder out of the data folder"
    )


def _identity(path: Path, layout: FolderLayout, heads: Mapping[Path, ImageHeader], refused: Sequence[BadImage]) -> str:
    digest = digest_files(path, heads, refused)
    for file in (file for found in layout.labelled.values() for file in found.files):
        digest.update(b"labels " + os.fsencode(file.relative_to(path)) + b"\n" + file.read_bytes())
    return f"folder {digest.hexdigest()}"


SOURCE = DataSource(summary="a folder of images in class folders", recognizes=Path.is_dir, open=open_folder)
