"""Detects which folders of a data set are splits and which are classes; an ambiguous layout is refused."""

from dataclasses import dataclass
from pathlib import Path

from trainables.common.errors import UserError
from trainables.data.layouts.class_names import (
    check_class_folders,
    format_label_tables,
    is_annotation_name,
    is_container_name,
)
from trainables.data.layouts.detected_layout import list_names
from trainables.data.layouts.left_out import LeftOut, LeftOutReason
from trainables.data.layouts.level import FolderLevel
from trainables.data.layouts.listing import link_fault
from trainables.data.layouts.split_names import find_splits, is_filler, read_split_name, split_words

EXPECTED_LAYOUT = "expected train/CLASS/*.jpg with val and test beside it or not, or CLASS/*.jpg"
MIN_OTHER_CLASSES = 3
"""Minimum number of other class folders beside a folder `train` that is a class."""


@dataclass(frozen=True)
class FolderLayout:
    """The class folders of each split."""

    classes: dict[str, dict[str, Path]]
    """Class folders by name, for each split; `train` alone if the data set has no splits."""
    sources: dict[str, str]
    """Folder of each split, relative to the data set's."""
    left_out: tuple[LeftOut, ...]
    """Files and folders that are not used."""
    warnings: tuple[str, ...]
    """Doubts about the layout, a line each."""


def find_layout(path: Path) -> FolderLayout:
    """Detect the layout of the data set in `path`; raises `UserError` if it is ambiguous, naming the folders."""
    level, left_out = FolderLevel(path, path), list[LeftOut]()
    while inner := _find_wrapper(level):
        left_out += _left_out_beside(level, {inner.path.name})
        level = inner
    splits = find_splits(level.folders)
    if not splits or _is_train_a_class(level, splits):
        warnings = [f"folder {name!r} is read as a class" for names in splits.values() for name in names]
        return _layout_without_splits(level, left_out, warnings)
    _check_splits(level, splits)
    return _layout_with_splits(level, {split: level.folders[name] for split, (name,) in splits.items()}, left_out)


def _find_wrapper(level: FolderLevel) -> FolderLevel | None:
    """The only folder with images of a level if it is an extra level, such as an archive's top folder; else None."""
    full = {name: inner for name, inner in level.with_images.items() if not is_annotation_name(name)}
    if len(full) != 1 or level.is_flat:
        return None
    ((name, inner),) = full.items()
    if any(not any(other.path.iterdir()) for key, other in level.folders.items() if key != name):
        return None  # beside an empty folder, it is a class
    if read_split_name(name):
        return inner if "train" in find_splits(inner.with_images) and len(find_splits(inner.with_images)) > 1 else None
    return None if inner.is_flat else inner


def _is_train_a_class(level: FolderLevel, splits: dict[str, list[str]]) -> bool:
    """Whether the only split is a flat folder `train` among other classes, as in a set of vehicles."""
    if list(splits) != ["train"] or [split_words(name) for name in splits["train"]] != [("train",)]:
        return False
    others = [other for name, other in level.with_images.items() if name not in splits["train"]]
    return (
        len(others) >= MIN_OTHER_CLASSES
        and all(folder.is_flat and not folder.with_images for folder in level.with_images.values())
        and not any(is_container_name(other.path.name) for other in others)
        and not level.find_label_tables()
    )


def _check_splits(level: FolderLevel, splits: dict[str, list[str]]) -> None:
    """Raise `UserError` if `train` is missing, two folders mean one split, or a split is a link to the outside."""
    where = f"--data {str(level.root)!r}"
    for split, names in splits.items():
        if len(names) > 1:
            raise UserError(
                f"{where}: folders {list_names(names)} all mean the {split} split; keep one of them there, or put "
                "their images into one"
            )
    if "train" not in splits:
        name = next(iter(splits.values()))[0]
        raise UserError(
            f"{where}: has a folder {name!r} but no 'train'; {EXPECTED_LAYOUT} (if {name!r} is a class, give it "
            f"another name, such as '{name}_class')"
        )
    for (name,) in splits.values():
        folder = level.folders[name].path
        if folder.is_symlink() and (fault := link_fault(folder, level.root.resolve())):
            raise UserError(f"--data: folder {str(folder)!r} is {fault}; links may lead to what is in it only")


def _layout_without_splits(level: FolderLevel, left_out: list[LeftOut], warnings: list[str]) -> FolderLayout:
    """The layout of a data set without splits: each folder is a class."""
    if not level.with_images:
        raise _flat_folder_error(level) if level.is_flat else _empty_folder_error(level)
    warnings += check_class_folders(level)
    classes, others = _class_folders(level)
    origin = "" if level.path == level.root else level.name
    return FolderLayout({"train": classes}, {"all": origin or "./"}, (*left_out, *others), tuple(warnings))


def _layout_with_splits(base: FolderLevel, splits: dict[str, FolderLevel], left_out: list[LeftOut]) -> FolderLayout:
    """The layout of a data set with `train` and other splits."""
    left_out += _left_out_beside(base, {level.path.name for level in splits.values()})
    classes, sources, warnings = dict[str, dict[str, Path]](), dict[str, str](), list[str]()
    extra: set[str] = set()
    for split, outer in sorted(splits.items(), key=lambda item: item[0] != "train"):
        level = outer
        while inner := _find_doubled(level, split, extra):
            left_out += _left_out_beside(level, {inner.path.name})
            level = inner
        if not level.with_images:
            if not level.is_flat:
                raise _empty_folder_error(level)
            if split == "train":
                raise _flat_folder_error(level)
            left_out += outer.leave_out_all(LeftOutReason.UNLABELLED_SPLIT)
            continue
        if split == "train":
            warnings += check_class_folders(level)
        classes[split], others = _class_folders(level)
        left_out += others
        sources[split] = level.name
    order = [split for split in ("train", "val", "test") if split in sources]
    by_name = sorted(classes, key=lambda split: splits[split].path.name)  # the order is part of the data's identity
    return FolderLayout(
        {split: classes[split] for split in by_name},
        {split: sources[split] for split in order},
        tuple(left_out),
        tuple(warnings),
    )


def _find_doubled(level: FolderLevel, split: str, extra: set[str]) -> FolderLevel | None:
    """The only folder of a split that holds its classes: `train/train/CLASS`, `train/images/CLASS`; else None.

    `extra` collects the names of such folders in train, which is read first; a single class is no data set.
    """
    if len(level.with_images) != 1 or level.is_flat:
        return None
    ((name, inner),) = level.with_images.items()
    read = read_split_name(name)
    if (read and read.split == split) or is_filler(name) or split_words(name) == split_words(level.path.name):
        return inner
    if split == "train" and not read and not inner.is_flat and len(inner.with_images) > 1:
        extra.add(name)
    return inner if name in extra else None


def _class_folders(level: FolderLevel) -> tuple[dict[str, Path], list[LeftOut]]:
    """Class folders of a level, and what is left out; folders such as `annotations` without images are no classes."""
    classes = {
        name: folder.path
        for name, folder in level.folders.items()
        if name in level.with_images or not is_container_name(name)
    }
    return classes, _left_out_beside(level, set(classes))


def _left_out_beside(level: FolderLevel, used: set[str]) -> list[LeftOut]:
    """Files of a level and its folders that are not `used`."""
    others = [folder for name, folder in level.folders.items() if name not in used]
    return [
        *level.leave_out_files(),
        *(file for folder in others for file in folder.leave_out_all(LeftOutReason.NO_SPLIT)),
    ]


def _flat_folder_error(level: FolderLevel) -> UserError:
    where = "it" if level.path == level.root else repr(level.name)
    return UserError(
        f"--data {str(level.root)!r}: the images lie directly in {where}, in no class folders; "
        f"{format_label_tables(level)}{EXPECTED_LAYOUT}"
    )


def _empty_folder_error(level: FolderLevel) -> UserError:
    within = f"{level.path.name}/" if level.path != level.root else ""
    return UserError(
        f"--data: no images under {str(level.path)!r}; expected {within}CLASS/*.jpg (or png, webp, …)"
        + ("; delete the folder if there are none" if within else "")
    )
