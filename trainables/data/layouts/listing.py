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

__all__ = [
    "IMAGE_SUFFIXES",
    "FileListing",
    "link_fault",
    "list_classes",
    "list_data_folders",
    "list_files",
    "list_images",
]
SYSTEM_NAMES = {"__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "Thumbs.db", "desktop.ini"}
"""Names that operating systems create in folders, besides those with a leading dot."""
TOOL_FOLDERS = {"mlruns", "mlartifacts", "wandb", "lightning_logs", "__pycache__", "node_modules"}
"""Folders of tools' logs or caches."""
MASK_NAME = re.compile(
    r"^(?P<image>.+?)[ _-](?:mask|seg|segmentation|groundtruth|gt)(?:[ _-]\d+)?(?:\.\w+)?$", re.IGNORECASE
)
"""Pattern of a mask's name, which contains the name of its image."""
LEFT_OUT_REASONS = {
    FileKind.UNDECODED_SUFFIXES: LeftOutReason.FORMAT,
    FileKind.VIDEO: LeftOutReason.VIDEO,
    FileKind.OTHER: LeftOutReason.NO_IMAGE,
}
"""Reasons of files that are no images."""


@dataclass(frozen=True)
class FileListing:
    """The files below one folder."""

    images: list[Path] = field(default_factory=list)
    """Image files, sorted."""
    bad_images: list[BadImage] = field(default_factory=list)
    """Links that must not be followed, and paths with an image's suffix that are no regular files."""
    left_out: list[LeftOut] = field(default_factory=list)
    """Other files, and folders that were not read."""


@dataclass(frozen=True)
class _Entry:
    """One path that was found."""

    path: Path
    fault: BadImageCause | None = None
    """Why the image is bad; None if it is not."""
    left_out: LeftOut | None = None
    """Why the path is not used; None for an image."""


def list_data_folders(path: Path) -> dict[str, Path]:
    """Subfolders of `path` that may be data, by name, sorted."""
    return {
        child.name: child
        for child in sorted(path.iterdir())
        if not is_hidden(child.name) and child.is_dir() and not is_output(child)
    }


def list_classes(folders: dict[str, Path], root: Path) -> dict[str, FileListing]:
    """List each class folder, by class name, sorted; links must not lead out of `root`."""
    within, classes = root.resolve(), dict[str, FileListing]()
    for name, folder in folders.items():
        # names that differ in their encoding only are one class
        listing = classes.setdefault(decodable(name), FileListing())
        if folder.is_symlink() and (fault := link_fault(folder, within)):
            listing.bad_images.append(BadImage(str(folder), fault.value, fault))
        else:
            _sort_entries(_walk(folder, within, {folder.resolve()}), listing)
            _take_out_masks(listing)
    return classes


def list_files(folder: Path) -> FileListing:
    """List all files below `folder`, sorted."""
    within, listing = folder.resolve(), FileListing()
    _sort_entries(_walk(folder, within, {within}), listing)
    return listing


def list_images(folder: Path) -> list[Path]:
    """Image files below `folder`, sorted, readable or not."""
    within = folder.resolve()
    return [found.path for found in _walk(folder, within, {within}) if not found.left_out]


def holds_images(folder: Path, root: Path) -> bool:
    """Whether any file below `folder` is an image, in a decoded format or not; stops at the first."""
    if folder.is_symlink() and link_fault(folder, root.resolve()):
        return True  # its target is refused when it is listed
    walk = _walk(folder, root.resolve(), {folder.resolve()})
    return any(not found.left_out or found.left_out.reason == LeftOutReason.FORMAT for found in walk)


def link_fault(link: Path, within: Path) -> BadImageCause | None:
    """Why a symbolic link must not be followed; None if its target lies within the folder `within`."""
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError):  # RuntimeError for a loop, in Python 3.11 and 3.12
        return BadImageCause.BROKEN_LINK
    return None if target.is_relative_to(within) else BadImageCause.OUTSIDE_LINK


def is_hidden(name: str) -> bool:
    """Whether a file of this name is hidden or belongs to the operating system."""
    return name.startswith(".") or name in SYSTEM_NAMES


def is_output(folder: Path) -> bool:
    """Whether a folder is a search's results, holds only searches' results, or is a tool's log."""
    if folder.name in TOOL_FOLDERS or _is_search(folder):
        return True
    try:
        with os.scandir(folder) as entries:
            found = [(entry.name, entry.is_dir()) for entry in entries]
    except OSError:  # reported when the folder is listed
        return False
    holds = any(name == "mlflow.db" or (is_folder and _is_search(folder / name)) for name, is_folder in found)
    return holds and not any(kind_by_name(name) == FileKind.IMAGE for name, is_folder in found if not is_folder)


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


def _walk(folder: Path, within: Path, seen: set[Path]) -> Iterator[_Entry]:
    """Walk everything below `folder`, sorted; `seen` stops loops of links."""
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        path = Path(entry.path)
        if is_hidden(entry.name):
            yield _Entry(path, left_out=leave_out_hidden(path))
            continue
        fault = link_fault(path, within) if entry.is_symlink() else None
        if not fault and entry.is_dir():
            if is_output(path):
                yield _Entry(path, left_out=LeftOut(str(path), LeftOutReason.RESULTS, f"{decodable(path.name)}/"))
            elif (real := path.resolve()) not in seen:
                seen.add(real)
                yield from _walk(path, within, seen)
        else:
            yield _check_file(path, entry, fault)


def _check_file(path: Path, entry: "os.DirEntry[str]", fault: BadImageCause | None) -> _Entry:
    kind = kind_by_name(entry.name)
    if kind == FileKind.IMAGE or (fault and _is_folder(entry)):
        return _Entry(path, fault or (None if entry.is_file() else BadImageCause.NO_FILE))
    if kind is None and not fault:
        kind = kind_by_content(read_head(path))
        if kind == FileKind.IMAGE and not path.suffix:
            return _Entry(path)
        if kind == FileKind.IMAGE:
            return _Entry(path, left_out=leave_out_file(path, LeftOutReason.SUFFIX))
    return _Entry(path, left_out=leave_out_file(path, LEFT_OUT_REASONS[kind or FileKind.OTHER]))


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a loop of links
        return False


def _is_search(folder: Path) -> bool:
    """Whether a folder is a search's results, complete or interrupted."""
    marks = ("study.journal", "search.log", "trials", "winner", "leaderboard.csv")
    return (folder / "search.lock").is_file() or (
        (folder / "search.json").is_file() and any((folder / name).exists() for name in marks)
    )
