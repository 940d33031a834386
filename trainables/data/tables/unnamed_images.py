"""Images beside those that a table names; they are left out, and said."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from trainables.common.escaping import decodable
from trainables.data.layouts.image_files import FileKind, kind_by_name
from trainables.data.layouts.left_out import LeftOut, LeftOutReason
from trainables.data.layouts.listing import is_hidden, list_files
from trainables.data.tables.table_rows import LabelTable


def leave_out_unnamed(
    root: Path, named: Sequence[Path], tables: Sequence[LabelTable], folder: Path | None
) -> list[LeftOut]:
    """Images that no table names: all of a `folder`, else those in the folders of the named ones."""
    used = set(named)
    if folder is not None:
        return list(_below(folder, used, {folder / table.name for table in tables}))
    found = (file for parent in sorted({file.parent for file in used}) for file in _images_in(parent))
    return [_leave_out(file, root) for file in found if file not in used]


def _below(folder: Path, used: set[Path], tables: set[Path]) -> Iterator[LeftOut]:
    """Everything in a folder that is neither a named image nor a table."""
    found = list_files(folder)
    others = [*found.images, *(Path(image.name) for image in found.bad_images)]
    yield from (_leave_out(file, folder) for file in others if file not in used)
    known = {str(file) for file in (*used, *tables)}
    yield from (file for file in found.left_out if file.path not in known)


def _images_in(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        return sorted(
            Path(entry.path)
            for entry in entries
            if not is_hidden(entry.name) and kind_by_name(entry.name) == FileKind.IMAGE and entry.is_file()
        )


def _leave_out(file: Path, root: Path) -> LeftOut:
    """A record of an image, counted by the folder that it lies in."""
    parent = file.parent.relative_to(root) if file.is_relative_to(root) else file.parent
    kind = f"{decodable(parent.as_posix())}/" if parent.parts else decodable(file.suffix.lower())
    return LeftOut(str(file), LeftOutReason.NO_ROW, kind)
