"""Finds the tables of labels in a folder of images: Kaggle's `train.csv` beside images, Hugging Face's `metadata.csv`.

A folder of class folders stays one; a table that says something else about its images is refused.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from trainables.common.errors import UserError
from trainables.common.escaping import printable
from trainables.data.data_options import DataOptions
from trainables.data.layouts.detected_layout import list_names
from trainables.data.layouts.folder_layout import FolderLayout, find_layout
from trainables.data.layouts.listing import is_hidden, list_data_folders
from trainables.data.layouts.split_names import find_splits, read_split_name, split_words
from trainables.data.tables.cell_values import Texts, spread
from trainables.data.tables.file_lookup import FileLookup
from trainables.data.tables.label_columns import is_label_name, repeats
from trainables.data.tables.remote_images import make_lookup
from trainables.data.tables.table_columns import SAMPLED_CELLS, share_of_files
from trainables.data.tables.table_file import is_table_name, read_table
from trainables.data.tables.table_rows import MANY, LabelTable, choose, names_images, read_cells

NO_LABELS = frozenset({"submission", "submissions", "sample", "solution"})
"""Words in names of tables that hold no labels, such as `sample_submission.csv`."""
LABEL_FILES = frozenset({"label", "labels", "train", "training", "classes", "targets", "annotations"})
"""Words in names of tables that hold labels."""
METADATA = "metadata"
"""Name, before the suffix, of the table that Hugging Face's imagefolder reads."""


@dataclass(frozen=True)
class FolderTable:
    """A table in a folder of images."""

    file: Path
    """The table."""
    folder: Path
    """Folder that its paths start from."""
    split: str
    """The split that its name or folder says; empty if none."""


def has_label_table(path: Path) -> bool:
    """Whether a folder's images are labelled by a table there, rather than by class folders."""
    if not path.is_dir():
        return False
    try:
        tables = list(_list_tables(path))
        if not tables:
            return False
        layout = _find_class_folders(path)
        if layout is None:
            return any(_names_files(table) for table in tables)
        return any(_find_conflict(table, layout) for table in tables)
    except OSError as error:
        raise UserError(f"--data {str(path)!r}: cannot be listed ({error})") from error


def read_folder_tables(path: Path, options: DataOptions) -> list[LabelTable]:
    """The tables that label the images of a folder, train's first.

    Raises `UserError` if several tables may be meant, or class folders say something else than a table.
    """
    tables = [table for table in _list_tables(path) if _names_files(table)]
    layout = _find_class_folders(path)
    for table in tables:
        if layout is not None and (conflict := _find_conflict(table, layout)):
            raise UserError(
                f"--data {str(path)!r}: {table.file.name!r} and the class folders say different labels ({conflict}); "
                f"give the table, --data {str(table.file)!r}, or move it elsewhere to learn the folders"
            )
    chosen = _choose_tables(path, tables)
    found = [_open(table, path, options) for table in chosen]
    columns = choose(found[0], options)
    return [table for table in found if table.split in {"", "train"} or columns.image in map(str, table.frame.columns)]


def _list_tables(path: Path) -> Iterator[FolderTable]:
    """Tables that may hold labels: in the folder itself, and metadata in the folders of its splits."""
    for file in _tables_in(path):
        read = read_split_name(file.stem)
        yield FolderTable(file, path, read.split if read else "")
    folders = list_data_folders(path)
    splits = find_splits(folders)
    for split in ("train", "val", "test"):
        for name in splits.get(split, []):
            for file in _tables_in(folders[name]):
                if file.stem.lower() == METADATA:
                    yield FolderTable(file, folders[name], split)


def _tables_in(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        files = [
            Path(entry.path)
            for entry in entries
            if is_table_name(entry.name)
            and not is_hidden(entry.name)
            and not set(split_words(entry.name)) & NO_LABELS
            and entry.is_file()
        ]
    return sorted(files)


def _find_class_folders(path: Path) -> FolderLayout | None:
    """The class folders of a folder; None if it has none, or none that are sure."""
    try:
        return find_layout(path)
    except UserError:
        return None


def _open(table: FolderTable, path: Path, options: DataOptions, beginning: bool = False) -> LabelTable:
    where = f"--data {str(table.file)!r}"
    frame = read_table(where, table.file, beginning)
    files = (
        FileLookup(table.folder)
        if beginning
        else make_lookup(where, frame, options.root, table.folder, options.follow_links)
    )
    return LabelTable(where, table.file.relative_to(path).as_posix(), frame, files, table.split)


def _names_files(table: FolderTable) -> bool:
    """Whether the first rows of a table name image files."""
    try:
        return names_images(_open(table, table.folder, DataOptions(), beginning=True))
    except UserError:
        return False


def _choose_tables(path: Path, tables: list[FolderTable]) -> list[FolderTable]:
    """The tables of the splits, or the only one; raises `UserError` if that is not sure."""
    by_split: dict[str, list[FolderTable]] = {}
    for table in tables:
        by_split.setdefault(table.split, []).append(table)
    if "train" not in by_split:
        by_split = {"": by_split.get("", []) or tables}
    else:
        by_split.pop("", None)
    chosen = []
    for split in ("", "train", "val", "test"):
        found = by_split.get(split, [])
        plain = [table for table in found if _is_plain(table)]
        if len(found) > 1 and len(plain) != 1:
            names = [table.file.relative_to(path).as_posix() for table in found]
            raise UserError(
                f"--data {str(path)!r}: which table holds the labels, {list_names(names)}? Give it: "
                f"--data {str(found[0].file)!r}"
            )
        chosen += found if len(found) == 1 else plain
    return chosen


def _is_plain(table: FolderTable) -> bool:
    """Whether a table's name says a split and nothing else, or that it is of labels."""
    read = read_split_name(table.file.stem)
    words = set(split_words(table.file.stem))
    return bool(read and read.is_plain) or bool(words & {"label", "labels", METADATA})


def _find_conflict(table: FolderTable, layout: FolderLayout) -> str:
    """An image whose label in the table is not its class folder's; empty if the two agree, or it holds no labels.

    They agree where any column says the folders, under other names perhaps. Without a header, any column may be labels.
    """
    try:
        opened = _open(table, table.folder, DataOptions(), beginning=True)
        cells = dict(read_cells(opened))
    except UserError:
        return ""
    headless = any(name and opened.names_image(name) for name in cells)
    if headless:
        cells = {name: [name, *texts] for name, texts in cells.items()}
    shares = {name: share_of_files(texts, opened.names_image) for name, texts in cells.items()}
    image = max(shares, key=lambda name: shares[name])
    if shares[image] < MANY:
        return ""
    classes = {folder: name for found in layout.classes.values() for name, folder in found.items()}
    compared = {
        name: _compare(opened, cells[image], texts, classes) for name, texts in cells.items() if name and name != image
    }
    conflicts = {name: conflict for name, conflict in compared.items() if conflict is not None}
    says_labels = headless or bool(set(split_words(table.file.stem)) & LABEL_FILES)
    named = [name for name in conflicts if is_label_name(name) or (says_labels and repeats(cells[name]))]
    return next((conflicts[name] for name in named), "") if all(conflicts.values()) else ""


def _compare(table: LabelTable, images: Texts, labels: Texts, classes: Mapping[Path, str]) -> str | None:
    """The first image whose label stands for another class folder than before, or whose folder for another label.

    Empty if there is none, None if the images with both have one label.
    """
    known: dict[str, str] = {}
    folders: dict[str, str] = {}
    for image, label in spread(list(zip(images, labels, strict=True)), SAMPLED_CELLS):
        file = table.files.find(image or "", table.split).path
        name = next((classes[parent] for parent in file.parents if parent in classes), "") if file and label else ""
        if not (file and label and name):
            continue
        if known.setdefault(label, name) != name or folders.setdefault(name, label) != label:
            return f"{printable(file.name)!r} is {printable(label)!r} there and lies in {printable(name)!r}"
    return "" if len(known) > 1 else None
