"""One level of a folder of images: its folders, and which of them hold images."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from trainables.common.escaping import decodable
from trainables.data.layouts.image_files import FileKind, kind_of
from trainables.data.layouts.left_out import LeftOut, LeftOutReason
from trainables.data.layouts.listing import (
    holds_images,
    is_hidden,
    leave_out_beside,
    link_fault,
    list_data_folders,
    list_files,
)

TABLE_SUFFIXES = (".csv", ".tsv", ".xls", ".xlsx", ".json", ".jsonl", ".parquet")
"""Suffixes of files that may hold labels."""


@dataclass(frozen=True)
class FolderLevel:
    """A folder of a data set."""

    path: Path
    """Path of the folder."""
    root: Path
    """The data set's folder; links must not lead out of it."""

    @cached_property
    def is_outside_link(self) -> bool:
        """Whether it is a link that must not be followed; its content is then not read."""
        return self.path.is_symlink() and bool(link_fault(self.path, self.root.resolve()))

    @cached_property
    def folders(self) -> dict[str, "FolderLevel"]:
        """Subfolders that may be data, by name, sorted."""
        if self.is_outside_link:
            return {}
        return {name: FolderLevel(folder, self.root) for name, folder in list_data_folders(self.path).items()}

    @cached_property
    def with_images(self) -> dict[str, "FolderLevel"]:
        """Subfolders that hold images, in decoded formats or not."""
        return {name: level for name, level in self.folders.items() if holds_images(level.path, self.root)}

    @cached_property
    def is_flat(self) -> bool:
        """Whether it holds images directly."""
        if self.is_outside_link:
            return True
        files = (child for child in self.path.iterdir() if not is_hidden(child.name) and not child.is_dir())
        return any(kind_of(child) in {FileKind.IMAGE, FileKind.UNDECODED_SUFFIXES} for child in files)

    @property
    def name(self) -> str:
        """Its path relative to the data set's folder, with a slash at the end."""
        return f"{decodable(str(self.path.relative_to(self.root)))}/"

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
        found = list_files(self.path) if not self.is_outside_link else None
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
