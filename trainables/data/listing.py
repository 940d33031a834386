"""Image files below a folder: none that is hidden, and none that a link brings in from outside."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from trainables.data.bad import BadImage
from trainables.printable import decodable

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm", ".pgm"}
NO_DATA = {"__MACOSX", "@eaDir", "$RECYCLE.BIN", "Thumbs.db", "desktop.ini"}
"""What systems leave in folders unasked, besides names with a dot in front."""


@dataclass(frozen=True)
class Listing:
    """What lies in one class's folder."""

    images: list[Path] = field(default_factory=list)
    """Its image files, in order."""
    refused: list[BadImage] = field(default_factory=list)
    """Links that may not be followed, and what is named like an image but is no file."""


def folders_in(path: Path) -> dict[str, Path]:
    """Folders within `path` that are data, by name, in order."""
    return {child.name: child for child in sorted(path.iterdir()) if not _is_hidden(child.name) and child.is_dir()}


def list_classes(path: Path, root: Path) -> dict[str, Listing]:
    """Each class folder in `path`, by class name, in order; `root` is what links may not lead out of."""
    within, classes = root.resolve(), dict[str, Listing]()
    for name, folder in folders_in(path).items():
        # Names that differ only in how they are encoded are one class.
        listing = classes.setdefault(decodable(name), Listing())
        reason = link_fault(folder, within) if folder.is_symlink() else ""
        for file, fault in [(folder, reason)] if reason else _walk(folder, within, {folder.resolve()}):
            if fault:
                listing.refused.append(BadImage(str(file), fault))
            else:
                listing.images.append(file)
    return classes


def list_images(folder: Path) -> list[Path]:
    """Image files below `folder`, in order, whether they can be read or not."""
    within = folder.resolve()
    return [path for path, _ in _walk(folder, within, {within})]


def link_fault(link: Path, within: Path) -> str:
    """Why a symbolic link may not be followed; empty if it leads to something within the folder `within`."""
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError):  # RuntimeError is a loop's, in Python 3.11 and 3.12
        return "a link that leads nowhere"
    return "" if target.is_relative_to(within) else "a link that leads out of the data folder"


def _walk(folder: Path, within: Path, seen: set[Path]) -> Iterator[tuple[Path, str]]:
    """Image files below `folder`, each with what is wrong with it, if anything; `seen` ends loops of links."""
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        path = Path(entry.path)
        if _is_hidden(entry.name):
            continue
        fault = link_fault(path, within) if entry.is_symlink() else ""
        if not fault and path.is_dir():
            if (real := path.resolve()) not in seen:
                seen.add(real)
                yield from _walk(path, within, seen)
        elif path.suffix.lower() in SUFFIXES or (fault and path.is_dir()):
            yield path, fault or ("" if path.is_file() else "no regular file")


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name in NO_DATA
