"""One level of a folder of images: its folders, and which of them hold images."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from trainables.common.escaping import decodable
from trainables.data.decoding.bad_images import BadImageCause
from trainables.data.layouts.image_files import PICTURES, FileKind, kind_by_name, kind_of
from trainables.data.layouts.left_out import LeftOut, LeftOutReason
from trainables.data.layouts.listing import (
    holds_images,
    is_hidden,
    leave_out_beside,
    link_fault,
    list_data_folders,
    list_files,
)
from trainables.data.layouts.split_names import find_splits

TABLE_SUFFIXES = (".csv", ".tsv", ".xls", ".xlsx", ".json", ".jsonl", ".parquet")
"""Suffixes of files that may hold labels."""


@dataclass(frozen=True)
class FolderLevel:
    """A folder of a data set."""

    path: Path
    """Path of the folder."""
    root: Path
    """The data set's folder."""
    follow_links: bool = False
    """Whether links may lead out of the data set's folder."""

    @cached_property
    def is_outside_link(self) -> bool:
        """Whether it is a link that must not be followed; its content is then not read."""
        return bool(self.link_fault)

    @property
    def link_fault(self) -> BadImageCause | None:
        """Why it is a link that must not be followed; None if it is not."""
        within = None if self.follow_links else self.root.resolve()
        return link_fault(self.path, within) if self.path.is_symlink() else None

    @cached_property
    def folders(self) -> dict[str, "FolderLevel"]:
        """Subfolders that may be data, by name, sorted."""
        if self.is_outside_link:
            return {}
        found = list_data_folders(self.path)
        return {name: FolderLevel(folder, self.root, self.follow_links) for name, folder in found.items()}

    @cached_property
    def with_images(self) -> dict[str, "FolderLevel"]:
        """Subfolders that hold images, in decoded formats or not."""
        folders = self.folders.items()
        return {name: level for name, level in folders if holds_images(level.path, self.root, self.follow_links)}

    @property
    def innermost(self) -> "FolderLevel":
        """The level that it leads to through folders with nothing but one folder of images, which is no split."""
        level = self
        while len(level.with_images) == 1 and not level.is_flat and not find_splits(level.with_images):
            (level,) = level.with_images.values()
        return level

    @cached_property
    def is_flat(self) -> bool:
        """Whether it holds images directly."""
        if self.is_outside_link:
            return True
        files = (child for child in self.path.iterdir() if not is_hidden(child.name) and not child.is_dir())
        return any(kind_of(child) in PICTURES for child in files)

    @property
    def name(self) -> str:
        """Its path relative to the data set's folder, with a slash at the end."""
        return f"{decodable(str(self.path.relative_to(self.root)))}/"

    @property
    def broken_links(self) -> list[Path]:
        """Links in it that lead nowhere, and may have been folders or images."""
        links = (child for child in sorted(self.path.iterdir()) if child.is_symlink() and not is_hidden(child.name))
        return [link for link in links if not link.exists() and kind_by_name(link.name) in {None, FileKind.IMAGE}]

    def find_label_tables(self) -> list[str]:
        """Names of files, here, in the parent or in the data set's folder, that may hold labels."""
        places = dict.fromkeys((self.path, self.path.parent, self.root))
        within = [place for place in places if place.is_relative_to(self.root)]
        found = [child for place in within for child in sorted(place.iterdir()) if not is_hidden(child.name)]
        return list(
            dict.fromkeys(child.name for child in found if child.suffix.lower() in TABLE_SUFFIXES and child.is_file())
        )

    def leave_out_files(self) -> list[LeftOut]:
        """Records of the files in it, and of the folders that are never data."""
        return list(leave_out_beside(self.path))

    def leave_out_all(self, reason: LeftOutReason) -> list[LeftOut]:
        """Records of everything below it, with one reason, except hidden files and results."""
        found = list_files(self.path, self.root, self.follow_links) if not self.is_outside_link else None
        if found is None:
            return [LeftOut(str(self.path), reason, self.name)]
        paths = [*map(str, found.images), *(image.name for image in found.bad_images)]
        others = [
            file
            if file.reason in {LeftOutReason.HIDDEN, LeftOutReason.RESULTS}
            else LeftOut(file.path, reason, self.name)
            for file in found.left_out
        ]
        return [*(LeftOut(path, reason, self.name) for path in paths), *others]
