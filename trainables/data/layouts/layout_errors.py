"""Errors of layouts of folders: what is in doubt, and what to do about it, which works."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from trainables.common.errors import UserError
from trainables.data.layouts.annotations.detection import describe_detection
from trainables.data.layouts.detected_layout import list_names
from trainables.data.layouts.level import FolderLevel
from trainables.data.layouts.split_names import name_of_no_split, read_split_name

EXPECTED_LAYOUT = "expected train/CLASS/*.jpg with val and test beside it or not, or CLASS/*.jpg"
NUMBERED_FILE = re.compile(r"(?P<name>[^\W\d].*?)[\W_]*\d+\.\w+")
"""Pattern of a file's name that begins with other words than a number."""


def describe_labels(level: FolderLevel) -> str:
    """A clause about files or names that hold labels, with a remedy; empty if there are none."""
    return describe_detection(level) or f"{format_label_tables(level)}{_describe_file_names(level)}"


def format_label_tables(level: FolderLevel) -> str:
    """A clause about files that may hold labels, with a remedy; empty if there are none."""
    tables = [name for name in level.find_label_tables() if "submission" not in name.casefold()]
    if not tables:
        return ""
    return f"where a table holds their labels ({list_names(tables)}), give it: --data TABLE.csv; "


def warn_of_unread_table(level: FolderLevel, split: str) -> list[str]:
    """A warning about a table that may hold the labels of a split that is left out for lack of labels."""
    found = [name for name in level.find_label_tables() if (read := read_split_name(Path(name).stem))
             and read.split == split]  # fmt: skip
    if not found:
        return []
    return [
        f"{split} has no class folders, so it is not used; if {found[0]!r} holds its labels, sort its images into "
        "class folders by it, or give one table of all images with a column split"
    ]


def _describe_file_names(level: FolderLevel) -> str:
    """A clause about classes in the names of files, such as `beagle_12.jpg`."""
    with os.scandir(level.path) as entries:
        found = [match for entry in entries if (match := NUMBERED_FILE.fullmatch(entry.name))]
    names = Counter(match["name"] for match in found)
    if not 1 < len(names) < len(found):
        return ""
    (first, _), (second, _) = names.most_common(2)
    return f"if their names begin with the class ({first!r}, {second!r}), move the images into folders named so; "


def flat_folder_error(
    level: FolderLevel, beside: Mapping[str, FolderLevel] | None = None, aside: Sequence[str] = ()
) -> UserError:
    """The error of images without class folders.

    `beside` are the folders beside a split's, `aside` the names of folders that describe the images.
    """
    where = "it" if level.path == level.root else repr(level.name)
    where += f" (beside {list_names(aside)})" if aside else ""
    name, others = level.path.name, list(beside or ())
    may_be_class = bool(read_split_name(name)) and any(not read_split_name(other) for other in others)
    return UserError(
        f"--data {str(level.root)!r}: the images lie directly in {where}, in no class folders; "
        f"{describe_labels(level)}{EXPECTED_LAYOUT}" + (_class_hint(name, others) if may_be_class else "")
    )


def no_train_error(level: FolderLevel, splits: Mapping[str, list[str]]) -> UserError:
    """The error of a data set with other splits than train only."""
    names = [name for found in splits.values() for name in found]
    return UserError(
        f"--data {str(level.root)!r}: has a folder {names[0]!r} but no 'train'; {EXPECTED_LAYOUT}"
        + _class_hint(names[0], level.folders)
    )


def _class_hint(name: str, others: Iterable[str]) -> str:
    new = name_of_no_split(name, [other for other in others if other != name])
    return f" (if {name!r} is a class, give it another name, such as {new!r})"


def empty_folder_error(level: FolderLevel, is_train: bool = False) -> UserError:
    """The error of a folder without images, of a data set or a split."""
    within = f"{level.path.name}/" if level.path != level.root else ""
    remedy = "put the images to train on there" if is_train else "delete the folder if there are none" if within else ""
    return UserError(
        f"--data: no images under {str(level.path)!r}; expected {within}CLASS/*.jpg (or png, webp, …)"
        + (f"; {remedy}" if remedy else "")
    )
