"""Finds the image files that the cells of a table name: by path, or by a name that exactly one file has."""

import os
import unicodedata
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cache, cached_property
from pathlib import Path
from urllib.parse import unquote

from trainables.common.errors import UserError
from trainables.data.layouts.classes.container_names import is_annotation_name
from trainables.data.layouts.listing import list_images
from trainables.data.layouts.split_names import read_split_name

URL_MARK = "://"


class LookupFault(Enum):
    """Why a cell names no file that is used."""

    MISSING = "names no file"
    """There is no such file."""
    AMBIGUOUS = "may be several files"
    """Several files have that name."""
    OUTSIDE = "leads out of the folder"
    """A relative path, or a link, leads out of the folder that paths start from."""
    UNSUPPORTED_URL = "is a URL that is not read"
    """A URL, of which only those of object stores are read, after their files were copied."""


@dataclass(frozen=True)
class NamedFile:
    """What a cell names."""

    path: Path | None
    """The file; None if there is a fault."""
    fault: LookupFault | None = None
    """Why there is none."""
    candidates: tuple[Path, ...] = ()
    """Files that it may be, if there are several."""


@dataclass(frozen=True)
class _IndexedImage:
    """An image file below the root."""

    file: Path
    path: str
    """Its relative path, with `/`, in normal form."""
    folders: tuple[str, ...]
    """The folders that it lies in, below the root."""


@dataclass(frozen=True)
class FileLookup:
    """The image files below one folder, by what a table may call them."""

    root: Path
    """The folder that relative paths start from."""
    follow_links: bool = False
    """Whether paths and links may lead out of it."""
    absolute: bool = True
    """Whether paths may be absolute; not where they start from a URL."""
    copies: Mapping[str, Path] = field(default_factory=dict)
    """Local copies of the files below URLs of object stores."""

    def find(self, text: str, split: str = "") -> NamedFile:
        """The file that a cell names, for an image of this split (empty: unknown).

        A path as it stands comes first, with backslashes read as slashes. Else it is the only image file below the
        folder whose path ends in the text, with or without a suffix. Of several, those in folders of masks or of
        another split do not count.
        """
        text = unquote(text.removeprefix("file://")) if text.startswith("file:///") else text
        if URL_MARK in text:
            return self._find_copy(text)
        if "\0" in text or not text.strip("./\\"):
            return NamedFile(None, LookupFault.MISSING)
        for written in dict.fromkeys((text, text.replace("\\", "/"))):
            if found := self._find_path(written):
                return found
        return self._find_ending(text.replace("\\", "/"), split)

    def _find_copy(self, url: str) -> NamedFile:
        """The local copy of the file at a URL."""
        for place, folder in self.copies.items():
            if url.startswith(f"{place}/"):
                file = folder / url[len(place) + 1 :]
                return NamedFile(file) if file.is_file() else NamedFile(None, LookupFault.MISSING)
        return NamedFile(None, LookupFault.UNSUPPORTED_URL)

    def relative(self, file: Path) -> Path:
        """Path of a file below the root; of another one the whole path."""
        return file.relative_to(self.root) if file.is_relative_to(self.root) else file

    def _find_path(self, text: str) -> NamedFile | None:
        """The file at a path as it stands; None if there is none."""
        if os.path.isabs(text):
            if not self.absolute or not os.path.isfile(text):
                return None
            return NamedFile(Path(text))
        file = Path(os.path.normpath(self.root / text))
        if not os.path.isfile(file):
            return None
        if not self.follow_links and not self._is_within(file):
            return NamedFile(None, LookupFault.OUTSIDE)
        return NamedFile(file)

    def _is_within(self, file: Path) -> bool:
        """Whether a file lies below the root, also after its links are followed."""
        parent = file.parent
        if parent not in self._parents:
            self._parents[parent] = parent.is_relative_to(self.root) and parent.resolve().is_relative_to(self._resolved)
        return self._parents[parent] and (not file.is_symlink() or file.resolve().is_relative_to(self._resolved))

    def _find_ending(self, text: str, split: str) -> NamedFile:
        """The only image file whose path ends in `text`, which may lack the suffix."""
        wanted = normal_path(os.path.normpath(text))
        found = [
            image for image in self._index.get(wanted.rpartition("/")[2], ())
            if _ends_in(image.path, wanted) or _ends_in(os.path.splitext(image.path)[0], wanted)
        ]  # fmt: skip
        candidates = [image for image in found if _suits(image.folders, split)]
        if len(candidates) > 1:
            candidates = _narrow(candidates, os.path.basename(text), split)
        if not candidates:
            return NamedFile(None, LookupFault.MISSING)
        if len(candidates) > 1:
            return NamedFile(None, LookupFault.AMBIGUOUS, tuple(image.file for image in candidates))
        file = candidates[0].file
        return NamedFile(file) if self.follow_links or self._is_within(file) else NamedFile(None, LookupFault.OUTSIDE)

    @cached_property
    def _index(self) -> dict[str, list[_IndexedImage]]:
        """Image files by their normalised names, with and without suffix."""
        found: dict[str, list[_IndexedImage]] = defaultdict(list)
        for file in list_images(self.root):
            relative = self.relative(file).as_posix()
            image = _IndexedImage(file, normal_path(relative), tuple(relative.split("/")[:-1]))
            name = image.path.rpartition("/")[2]
            for key in {name, os.path.splitext(name)[0]}:
                found[key].append(image)
        return found

    @cached_property
    def _resolved(self) -> Path:
        return self.root.resolve()

    @cached_property
    def _parents(self) -> dict[Path, bool]:
        """Whether folders lie within the root after links are followed, as far as they were asked for."""
        return {}


def _narrow(images: list[_IndexedImage], name: str, split: str) -> list[_IndexedImage]:
    """Those with this very name, in any form of letters; not in folders of masks; in a folder of the split."""
    exact = _composed(name)
    same = [
        image
        for image in images
        if exact in {_composed(image.file.name), os.path.splitext(_composed(image.file.name))[0]}
    ]
    plain = [image for image in same or images if not any(map(is_annotation_name, image.folders))]
    found = plain or same or images
    return [image for image in found if split in _said(image.folders)] or found


def _suits(folders: tuple[str, ...], split: str) -> bool:
    """Whether an image of a split may lie in these folders: none of them says another split."""
    return not split or not (said := _said(folders)) or split in said


@cache
def _said(folders: tuple[str, ...]) -> frozenset[str]:
    """The splits that names of folders say."""
    return frozenset(found.split for name in folders if (found := read_split_name(name)))


def _ends_in(path: str, wanted: str) -> bool:
    return path == wanted or path.endswith("/" + wanted)


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def normal_path(path: str) -> str:
    """A path in which case and composition of letters make no difference."""
    return _composed(path).casefold()


def find_root(where: str, given: str, default: Path) -> Path:
    """The folder that relative paths start from: `given` as `--root`, or else the default.

    Raises `UserError`, which begins with `where`, if it is no folder.
    """
    root = Path(os.path.expanduser(given)) if given else default
    if not root.is_dir():
        raise UserError(f"{where}: --root {given!r} is no folder; give the one that the table's paths start from")
    return root
