"""Lists the files below a folder: images, links that must not be followed, and other files."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from trainables.common.escaping import decodable
from trainables.data.decoding.bad_images import BadImage, BadImageCause
from trainables.data.layouts.image_files import (
    IMAGE_SUFFIXES,
    FileKind,
    kind_by_content,
    kind_by_name,
    kind_of,
    read_head,
)
from trainables.data.layouts.left_out import LeftOut, LeftOutReason, leave_out_file, leave_out_hidden
from trainables.data.layouts.never_data import is_hidden, is_output

__all__ = [
    "IMAGE_SUFFIXES",
    "FileListing",
    "is_hidden",
    "link_fault",
    "list_classes",
    "list_data_folders",
    "list_files",
    "list_images",
]
MASK_NAME = re.compile(
    r"^(?P<image>.+?)[ _-](?:mask|seg|segmentation|groundtruth|gt)(?:[ _-]\d+)?(?:\.\w+)?$", re.IGNORECASE
)
"""Pattern of a mask's name, which contains the name of its image."""
LEFT_OUT_REASONS = {
    FileKind.UNDECODED_SUFFIXES: LeftOutReason.FORMAT,
    FileKind.HEIF: LeftOutReason.HEIF,
    FileKind.VIDEO: LeftOutReason.VIDEO,
    FileKind.OTHER: LeftOutReason.NO_IMAGE,
}
"""Reasons of files that are no images."""
UNDECODED_REASONS = frozenset({LeftOutReason.FORMAT, LeftOutReason.HEIF})
"""Reasons of images in formats that are not decoded."""


@dataclass(frozen=True)
class FileListing:
    """The files below one folder."""

    images: list[Path] = field(default_factory=list)
    """Image files, sorted."""
    bad_images: list[BadImage] = field(default_factory=list)
    """Links that must not be followed, and paths with an image's suffix that are no regular files."""
    left_out: list[LeftOut] = field(default_factory=list)
    """Other files, and folders that were not read."""
    linked: set[Path] = field(default_factory=set)
    """Images that were reached through links."""


@dataclass(frozen=True)
class _Entry:
    """One path that was found."""

    path: Path
    fault: BadImageCause | None = None
    """Why the image is bad; None if it is not."""
    left_out: LeftOut | None = None
    """Why the path is not used; None for an image."""
    is_linked: bool = False
    """Whether it was reached through a link."""


def list_data_folders(path: Path) -> dict[str, Path]:
    """Subfolders of `path` that may be data, by name, sorted."""
    return {
        child.name: child
        for child in sorted(path.iterdir())
        if not is_hidden(child.name) and child.is_dir() and not is_output(child)
    }


def list_classes(folders: dict[str, Path], root: Path, follow_links: bool = False) -> dict[str, FileListing]:
    """List each class folder, by class name, sorted; links lead out of `root` only if `follow_links`."""
    classes = dict[str, FileListing]()
    for name, folder in folders.items():
        # names that differ in their encoding only are one class
        listing = classes.setdefault(decodable(name), FileListing())
        walk = _Walk.start(root, follow_links)
        if folder.is_symlink() and (fault := link_fault(folder, walk.within)):
            listing.bad_images.append(BadImage(str(folder), fault.value, fault))
        else:
            _sort_entries(walk.below(folder), listing)
            _take_out_masks(listing)
    return classes


def list_files(folder: Path, root: Path | None = None, follow_links: bool = False) -> FileListing:
    """List all files below `folder`, sorted; links lead out of `root` (default: the folder) only if `follow_links`."""
    listing = FileListing()
    _sort_entries(_Walk.start(root or folder, follow_links).below(folder), listing)
    return listing


def list_images(folder: Path) -> list[Path]:
    """Image files below `folder`, sorted, readable or not."""
    return [found.path for found in _Walk.start(folder, False).below(folder) if not found.left_out]


def holds_images(folder: Path, root: Path, follow_links: bool = False) -> bool:
    """Whether any file below `folder` is an image, in a decoded format or not; stops at the first."""
    walk = _Walk.start(root, follow_links)
    if folder.is_symlink() and link_fault(folder, walk.within):
        return True  # its target is refused when it is listed
    return any(not found.left_out or found.left_out.reason in UNDECODED_REASONS for found in walk.below(folder))


def link_fault(link: Path, within: Path | None) -> BadImageCause | None:
    """Why a symbolic link must not be followed; None if it leads to the folder `within` (None: anywhere)."""
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError):  # RuntimeError for a loop, in Python 3.11 and 3.12
        return BadImageCause.BROKEN_LINK
    return None if within is None or target.is_relative_to(within) else BadImageCause.OUTSIDE_LINK


def leave_out_beside(path: Path) -> Iterator[LeftOut]:
    """Records of the files in `path`, and of its folders that are never data."""
    for child in sorted(path.iterdir()):
        if is_hidden(child.name):
            yield leave_out_hidden(child)
        elif child.is_dir():
            if is_output(child):
                yield LeftOut(str(child), LeftOutReason.RESULTS, f"{decodable(child.name)}/")
        else:
            kind = kind_of(child)
            yield leave_out_file(child, LeftOutReason.NO_CLASS if kind == FileKind.IMAGE else LEFT_OUT_REASONS[kind])


def _take_out_masks(listing: FileListing) -> None:
    """Leave out masks that lie beside their image: `scan_mask.png` beside `scan.png`."""
    named = {file: match["image"] for file in listing.images if (match := MASK_NAME.search(file.name))}
    if not named:
        return
    known = {(file.parent, file.stem) for file in listing.images}
    masks = {file for file, image in named.items() if (file.parent, image) in known}
    listing.left_out.extend(leave_out_file(file, LeftOutReason.MASK) for file in listing.images if file in masks)
    listing.images[:] = [file for file in listing.images if file not in masks]


def _sort_entries(walk: "Iterator[_Entry]", listing: FileListing) -> None:
    for found in walk:
        if found.left_out:
            listing.left_out.append(found.left_out)
        elif found.fault:
            listing.bad_images.append(BadImage(str(found.path), found.fault.value, found.fault))
        else:
            listing.images.append(found.path)
            listing.linked.update([found.path] if found.is_linked else [])


@dataclass(frozen=True)
class _Walk:
    """A walk through folders, which visits none of them twice."""

    root: Path
    """The data folder."""
    within: Path | None
    """Where links may lead to; None for anywhere."""
    seen: set[Path]
    """Folders that were visited, without links in their paths."""

    @classmethod
    def start(cls, root: Path, follow_links: bool) -> "_Walk":
        """A walk that has visited no folder."""
        return cls(root, None if follow_links else root.resolve(), set())

    def below(self, folder: Path) -> Iterator[_Entry]:
        """Everything below `folder`, sorted."""
        parents = [folder, *folder.parents[: len(folder.relative_to(self.root).parts)]]
        self.seen.update(parent.resolve() for parent in parents)
        yield from self._below(folder, any(parent.is_symlink() for parent in parents[:-1]))

    def _below(self, folder: Path, is_linked: bool) -> Iterator[_Entry]:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        for entry in found:
            path = Path(entry.path)
            if is_hidden(entry.name):
                yield _Entry(path, left_out=leave_out_hidden(path))
                continue
            fault = link_fault(path, self.within) if entry.is_symlink() else None
            linked = is_linked or entry.is_symlink()
            if not fault and entry.is_dir():
                yield from self._below_inner(path, linked)
            else:
                yield _check_file(path, entry, fault, linked)

    def _below_inner(self, path: Path, is_linked: bool) -> Iterator[_Entry]:
        if is_output(path):
            yield _Entry(path, left_out=LeftOut(str(path), LeftOutReason.RESULTS, f"{decodable(path.name)}/"))
        elif (real := path.resolve()) not in self.seen:
            self.seen.add(real)
            yield from self._below(path, is_linked)
        elif is_linked:
            yield _Entry(path, left_out=LeftOut(str(path), LeftOutReason.LINK, f"{decodable(path.name)}/"))


def _check_file(path: Path, entry: "os.DirEntry[str]", fault: BadImageCause | None, is_linked: bool) -> _Entry:
    kind = kind_by_name(entry.name)
    is_lost = fault == BadImageCause.BROKEN_LINK and kind is None  # may have been a folder of images
    if kind == FileKind.IMAGE or is_lost or (fault and _is_folder(entry)):
        return _Entry(path, fault or (None if entry.is_file() else BadImageCause.NO_FILE), is_linked=is_linked)
    if kind is None and fault:
        return _Entry(path, left_out=leave_out_file(path, LeftOutReason.OUTSIDE))
    if kind is None:
        kind = kind_by_content(read_head(path))
        if kind == FileKind.IMAGE and not path.suffix:
            return _Entry(path, is_linked=is_linked)
        if kind == FileKind.IMAGE:
            return _Entry(path, left_out=leave_out_file(path, LeftOutReason.SUFFIX))
    return _Entry(path, left_out=leave_out_file(path, LEFT_OUT_REASONS[kind or FileKind.OTHER]))


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a loop of links
        return False
