"""A table that names image files and their labels, and how a data frame of that kind becomes a raw set."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trainables.common.errors import UserError
from trainables.common.escaping import decodable
from trainables.data.data_options import DataOptions
from trainables.data.decoding.bad_images import BadImage, lost_class_error
from trainables.data.layouts.detected_layout import DetectedLayout
from trainables.data.sources.image_file_set import (
    ImageFileSet,
    ImageHeader,
    LabelledFiles,
    digest_files,
    read_headers,
)
from trainables.data.sources.source import DataSource, RawSet
from trainables.data.tables.folder_tables import has_label_table, read_folder_tables
from trainables.data.tables.remote_images import make_lookup
from trainables.data.tables.table_classes import find_classes, warn_of_names
from trainables.data.tables.table_file import is_table_name, read_table
from trainables.data.tables.table_rows import SPLITS, LabelTable, TableRow, read_rows
from trainables.data.tables.unnamed_images import leave_out_unnamed

if TYPE_CHECKING:
    import pandas as pd


def is_table(path: Path) -> bool:
    """Whether a path is a table of text or parquet, or a folder whose images are labelled by one."""
    return is_table_name(path.name) if path.is_file() else has_label_table(path)


def open_table_file(path: Path, options: DataOptions) -> RawSet:
    """Open a table of image files, or a folder with one; images with a bad header are in `bad_images`.

    Raises `UserError` for a table that cannot be read, a column that is not sure, files that are missing, or labels
    that are no classes.
    """
    if path.is_dir():
        return open_tables(read_folder_tables(path, options), options, path.resolve().name, path)
    where = f"--data {str(path)!r}"
    frame = read_table(where, path)
    files = make_lookup(where, frame, options.root, path.parent, options.follow_links)
    return open_tables([LabelTable(where, path.name, frame, files)], options, path.stem)


def open_table(frame: "pd.DataFrame", options: DataOptions, where: str) -> RawSet:
    """Open a data frame that names image files; relative paths start from `root`, else from the working folder.

    `where` begins messages, and is the name of the data set. Raises `UserError` as `open_table_file` does.
    """
    if not len(frame):
        raise UserError(f"{where}: has no rows; expected one for each image")
    files = make_lookup(where, frame, options.root, Path.cwd(), options.follow_links)
    return open_tables([LabelTable(where, where, frame, files)], options, where)


def open_tables(tables: Sequence[LabelTable], options: DataOptions, name: str, folder: Path | None = None) -> RawSet:
    """Open the tables of one data set, with train's first; of a `folder`, what no table names is left out and said.

    Raises `UserError` as `open_table_file` does.
    """
    where, root = tables[0].where, tables[0].files.root if folder is None else folder
    found = read_rows(tables, options)
    classes = find_classes(where, found)
    try:
        heads, bad = _read_heads((row.file for row in classes.rows), options)
        digest = digest_files(root, heads, [*found.missing, *bad])
    except OSError as error:
        raise UserError(f"{where}: its images cannot be read ({error})") from error
    kept = [row for row in classes.rows if row.file in heads]
    _check_training_images(where, classes.names, kept, bad)
    _check_no_class_lost(where, classes.rows, kept, bad)
    for row in kept:
        digest.update(f"{row.label!r} {row.split} {row.group!r} {row.weight!r}\n".encode())
    return ImageFileSet(
        name=decodable(name),
        root=root,
        classes=tuple(decodable(label) for label in classes.names),
        parts=_make_parts(where, classes.names, kept, found.columns.group, found.columns.weight),
        heads=heads,
        bad_images=(*found.missing, *bad),
        layout=DetectedLayout(
            sources={split: source for split, source in found.sources.items() if split in classes.splits},
            columns=found.columns.described,
            left_out=(*classes.left_out, *leave_out_unnamed(root, [row.file for row in found.rows], tables, folder)),
            warnings=(*found.warnings, *warn_of_names(classes.names)),
        ),
    ).to_raw_set(f"table {digest.hexdigest()}", options)


def _read_heads(files: Iterable[Path], options: DataOptions) -> tuple[dict[Path, ImageHeader], list[BadImage]]:
    """Headers of the good images, and the bad images."""
    wanted = list(files)
    read = dict(zip(wanted, read_headers(wanted, options), strict=True))
    heads = {file: head for file, head in read.items() if not isinstance(head, BadImage)}
    return heads, [head for head in read.values() if isinstance(head, BadImage)]


def _check_training_images(
    where: str, classes: Sequence[str], kept: Sequence[TableRow], bad: Sequence[BadImage]
) -> None:
    """Raise `UserError` for a class all of whose training images are bad."""
    there = {row.label for row in kept if row.split == "train"}
    if lost := [label for label in classes if label not in there]:
        raise UserError(
            f"{where}: class {decodable(lost[0])!r} has no training image that can be used"
            + (f"; the first bad image: {bad[0]}" if bad else "; the files that its rows name are missing")
        )


def _check_no_class_lost(
    where: str, rows: Sequence[TableRow], kept: Sequence[TableRow], bad: Sequence[BadImage]
) -> None:
    """Raise `UserError` for a class that has images in a split, all of which are bad."""
    there = {(row.split, row.label) for row in kept}
    reasons = {image.name: image for image in bad}
    for row in rows:
        if (row.split, row.label) not in there:
            raise lost_class_error(where, str(row.label), row.split, reasons.get(str(row.file)))


def _make_parts(
    where: str, classes: Sequence[str], rows: Sequence[TableRow], group: str, weight: str
) -> dict[str, LabelledFiles]:
    """The rows of each split, in the order of the table."""
    number = {label: place for place, label in enumerate(classes)}
    groups = {name: place for place, name in enumerate(dict.fromkeys(row.group for row in rows if row.group))}
    parts = {}
    for split in SPLITS:
        if own := [row for row in rows if row.split == split]:
            if weight and not any(row.weight for row in own):
                raise UserError(f"{where}: weight column {weight!r} is 0 for all images of {split}; give some more")
            parts[split] = LabelledFiles(
                tuple(row.file for row in own),
                np.array([number[row.label] for row in own if row.label is not None], np.int64),
                _array([groups.get(row.group, -1) if row.group else -1 for row in own]) if group else None,
                np.array([row.weight for row in own], np.float32) if weight else None,
            )
    return parts


def _array(values: list[int]) -> NDArray[np.int64]:
    return np.array(values, np.int64)


SOURCE = DataSource(
    summary="a table of image files and labels",
    recognizes=is_table,
    open=open_table_file,
)
