"""Detects which folders of a data set are splits and which are classes; an ambiguous layout is refused."""

from dataclasses import dataclass, field
from pathlib import Path

from trainables.common.errors import UserError
from trainables.data.layouts.annotations.image_labels import AnnotatedImages, find_labelled_images
from trainables.data.layouts.classes.class_names import check_beside_splits, check_class_folders, check_single_class
from trainables.data.layouts.classes.container_names import is_annotation_name, is_container_name, is_unlabelled_name
from trainables.data.layouts.detected_layout import list_names
from trainables.data.layouts.layout_errors import (
    empty_folder_error,
    flat_folder_error,
    no_train_error,
    warn_of_unread_table,
)
from trainables.data.layouts.left_out import LeftOut, LeftOutReason
from trainables.data.layouts.level import FolderLevel
from trainables.data.layouts.split_names import find_splits, is_filler, read_split_name, split_words

MIN_OTHER_CLASSES = 3
"""Minimum number of other class folders beside a folder `train` that is a class."""


@dataclass(frozen=True)
class FolderLayout:
    """The images of each split, by class."""

    classes: dict[str, dict[str, Path]]
    """Class folders by name, for each split; `train` alone if the data set has no splits."""
    sources: dict[str, str]
    """Folder of each split, relative to the data set's."""
    left_out: tuple[LeftOut, ...]
    """Files and folders that are not used."""
    warnings: tuple[str, ...]
    """Doubts about the layout, a line each."""
    labelled: dict[str, AnnotatedImages] = field(default_factory=dict)
    """Images of splits without class folders that a file labels; `classes` of these are empty."""


def find_layout(path: Path, follow_links: bool = False) -> FolderLayout:
    """Detect the layout of the data set in `path`; raises `UserError` if it is ambiguous, naming the folders."""
    level, left_out = FolderLevel(path, path, follow_links), list[LeftOut]()
    while inner := _find_wrapper(level):
        left_out += _left_out_beside(level, {inner.path.name})
        level = inner
    _check_links(level)
    splits = find_splits(level.folders)
    if not splits or _is_train_a_class(level, splits):
        warnings = [f"folder {name!r} is read as a class" for names in splits.values() for name in names]
        return _layout_without_splits(level, left_out, warnings)
    return _layout_with_splits(level, _choose_splits(level, splits), left_out)


def _find_wrapper(level: FolderLevel) -> FolderLevel | None:
    """The folder of a level that holds the data set, such as an archive's top folder; else None."""
    full = {name: inner for name, inner in level.with_images.items() if not is_annotation_name(name)}
    if not find_splits(full) and (inner := _find_only_with_splits(full)):
        return inner
    if len(full) != 1:
        return None
    ((name, inner),) = full.items()
    if level.is_flat and len(inner.innermost.with_images) < 2:
        return None
    if read_split_name(name):
        return inner if "train" in find_splits(inner.with_images) and len(find_splits(inner.with_images)) > 1 else None
    if any(not any(other.path.iterdir()) for key, other in level.folders.items() if key != name):
        return None  # beside an empty folder, it is a class
    return inner if not inner.is_flat or len(inner.with_images) > 1 else None


def _find_only_with_splits(full: dict[str, FolderLevel]) -> FolderLevel | None:
    """The folder that holds splits of classes, where the others, if any, have names such as `docs`."""
    found = {name: inner for name, inner in full.items() if _holds_splits_of_classes(inner)}
    if len(found) != 1 or not all(is_container_name(name) for name in full if name not in found):
        return None
    return next(iter(found.values()))


def _holds_splits_of_classes(level: FolderLevel) -> bool:
    level = level.innermost
    trains = find_splits(level.with_images).get("train", [])
    return any(level.with_images[name].with_images and not level.with_images[name].is_flat for name in trains)


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


def _check_links(level: FolderLevel) -> None:
    """Raise `UserError` for a link to nowhere, which may have been a class or a split."""
    if lost := level.broken_links:
        raise UserError(f"--data: {str(lost[0])!r} is a link that leads nowhere; mend it, or delete it")


def _choose_splits(level: FolderLevel, splits: dict[str, list[str]]) -> dict[str, FolderLevel]:
    """The folder of each split.

    Of several for val or test, those without labels do not count. Raises `UserError` if `train` is missing, folders
    mean the same split, or a split is a link to the outside.
    """
    where, chosen = f"--data {str(level.root)!r}", dict[str, FolderLevel]()
    for split, names in splits.items():
        labelled = names
        if len(names) > 1 and split != "train":
            labelled = [name for name in names if _is_labelled(level.folders[name])] or names[:1]
        if len(labelled) > 1:
            raise UserError(
                f"{where}: folders {list_names(labelled)} all mean the {split} split; keep one of them there, or put "
                "their images into one"
            )
        chosen[split] = level.folders[labelled[0]]
    if "train" not in splits:
        raise no_train_error(level, splits)
    for one in chosen.values():
        if fault := one.link_fault:
            raise UserError(f"--data: folder {str(one.path)!r} is {fault}")
        for other in chosen.values():
            if other is not one and other.path.resolve() == one.path.resolve():
                both = list_names(sorted((one.path.name, other.path.name)))
                raise UserError(f"{where}: folders {both} are one folder, by a link; delete the link")
    return chosen


def _is_labelled(level: FolderLevel) -> bool:
    """Whether a split may have labels: class folders, at some level, or a file that labels its images."""
    while len(level.with_images) == 1 and not level.is_flat:
        ((name, level),) = level.with_images.items()
        if level.is_flat and not (is_filler(name) or read_split_name(name) or is_unlabelled_name(name, ())):
            return True
    return bool(level.with_images) or level.is_outside_link or bool(find_labelled_images(level))


def _layout_without_splits(level: FolderLevel, left_out: list[LeftOut], warnings: list[str]) -> FolderLayout:
    """The layout of a data set without splits: each folder is a class."""
    sources = {"all": "./" if level.path == level.root else level.name}
    if not level.with_images:
        if not level.is_flat:
            raise empty_folder_error(level)
        if not (found := find_labelled_images(level)):
            raise flat_folder_error(level)
        sources = {"all": f"{sources['all']} by {found.file_name(level.root)}"}
        return FolderLayout({"train": {}}, sources, tuple(left_out), found.warnings, {"train": found})
    check_single_class(level)
    warnings += check_class_folders(level)
    classes, others = _class_folders(level)
    return FolderLayout({"train": classes}, sources, (*left_out, *others), tuple(warnings))


def _layout_with_splits(base: FolderLevel, splits: dict[str, FolderLevel], left_out: list[LeftOut]) -> FolderLayout:
    """The layout of a data set with `train` and other splits."""
    left_out += _left_out_beside(base, {level.path.name for level in splits.values()}, unlabelled=True)
    classes, sources, warnings = dict[str, dict[str, Path]](), dict[str, str](), list[str]()
    labelled, extra = dict[str, AnnotatedImages](), set[str]()
    for split, outer in sorted(splits.items(), key=lambda item: item[0] != "train"):
        level = outer
        while inner := _find_doubled(level, split, extra):
            left_out += _left_out_beside(level, {inner.path.name})
            level = inner
        _check_links(level)
        if not level.with_images and not level.is_flat:
            raise empty_folder_error(level, split == "train")
        if not level.with_images and (found := find_labelled_images(level)):
            classes[split], labelled[split] = {}, found
            warnings += found.warnings
        elif not level.with_images and split == "train":
            raise flat_folder_error(level, base.with_images)
        elif not level.with_images or _is_unlabelled(level, classes.get("train")):
            left_out += outer.leave_out_all(LeftOutReason.UNLABELLED_SPLIT)
            warnings += warn_of_unread_table(level, split)
            continue
        else:
            if split == "train":
                warnings += check_class_folders(level)
                check_beside_splits(base, {one.path.name for one in splits.values()}, level)
            classes[split], others = _class_folders(level)
            left_out += others
        by = f" by {labelled[split].file_name(level.root)}" if split in labelled else ""
        sources[split] = f"{level.name}{by}"
    used = {str(file) for found in labelled.values() for file in found.files}
    order = [split for split in ("train", "val", "test") if split in sources]
    by_name = sorted(classes, key=lambda split: splits[split].path.name)  # the order is part of the data's identity
    return FolderLayout(
        {split: classes[split] for split in by_name},
        {split: sources[split] for split in order},
        tuple(file for file in left_out if file.path not in used),
        tuple(warnings),
        labelled,
    )


def _is_unlabelled(level: FolderLevel, trained: dict[str, Path] | None) -> bool:
    """Whether the only folder of a split says that it has no labels, such as `test/unknown`; None is for train."""
    names = list(level.with_images)
    return trained is not None and len(names) == 1 and is_unlabelled_name(names[0], trained)


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


def _left_out_beside(level: FolderLevel, used: set[str], unlabelled: bool = False) -> list[LeftOut]:
    """Files of a level and its folders that are not `used`; with `unlabelled`, folders named like splits have none."""
    others = [folder for name, folder in level.folders.items() if name not in used]
    named = {name for names in find_splits(level.folders).values() for name in names} if unlabelled else set[str]()
    return [
        *level.leave_out_files(),
        *(
            file
            for folder in others
            for file in folder.leave_out_all(
                LeftOutReason.UNLABELLED_SPLIT if folder.path.name in named else LeftOutReason.NO_SPLIT
            )
        ),
    ]
