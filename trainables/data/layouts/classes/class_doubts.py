"""Doubts whether folders are the classes: what is read, but may have been meant otherwise."""

from trainables.data.layouts.classes.container_names import is_container_name
from trainables.data.layouts.detected_layout import list_names
from trainables.data.layouts.level import FolderLevel
from trainables.data.layouts.split_names import is_filler


def find_class_doubts(level: FolderLevel) -> list[str]:
    """Warnings about the class folders of a level, a line each."""
    checks = (_find_alike, _find_inner_classes, _find_only_inner_classes, _find_repeated_name, _find_similar_names)
    return [line for check in checks for line in check(level)]


def _unwrap(level: FolderLevel) -> FolderLevel:
    """Follow folders such as `images` that are the only one with images in their parent."""
    while len(level.with_images) == 1 and is_filler(name := next(iter(level.with_images))):
        level = level.with_images[name]
    return level


def _find_alike(level: FolderLevel) -> list[str]:
    """Warn of folders that hold equally named folders, as splits with unknown names do."""
    inner = {
        name: frozenset(_unwrap(folder).with_images) for name, folder in level.with_images.items() if not folder.is_flat
    }
    for name, found in inner.items():
        same = [other for other in inner if inner[other] == found]
        if len(found) > 1 and len(same) > 1:
            return [
                f"classes {list_names(same)} hold equally named folders ({list_names(sorted(found))}); if those are "
                f"the classes and {name!r} a split, name it train, val or test"
            ]
    return []


def _find_inner_classes(level: FolderLevel) -> list[str]:
    """Warn of several classes that each hold several folders, with other names in each, which may be the classes."""
    deep = {name: list(folder.with_images) for name, folder in level.with_images.items() if not folder.is_flat}
    found = {name: inner for name, inner in deep.items() if len(inner) > 1 and not all(map(is_filler, inner))}
    if len(found) < 2 or len(set(map(tuple, found.values()))) < len(found):
        return []
    name, inner = next(iter(found.items()))
    return [
        f"classes {list_names(list(found))} hold folders, whose images are of the class ({name!r}: "
        f"{list_names(inner)}); if those folders are the classes, move them up a level"
    ]


def _find_only_inner_classes(level: FolderLevel) -> list[str]:
    """Warn of a folder of several folders that is beside ones such as `docs` only, and may be the data set."""
    others = [name for name in level.with_images if is_container_name(name)]
    deep = [name for name in level.with_images if name not in others]
    if len(deep) != 1 or not others or len(level.with_images[deep[0]].with_images) < 2:
        return []
    inner = level.with_images[deep[0]]
    return [
        f"{deep[0]!r} and {list_names(others)} are read as classes; if the folders in {deep[0]!r} "
        f"({list_names(list(inner.with_images))}) are the classes, give it alone: --data {str(inner.path)!r}"
    ]


def _find_repeated_name(level: FolderLevel) -> list[str]:
    """Warn of a class that holds a folder named as another class."""
    return [
        f"class {name!r} holds a folder named as class {same!r} beside it, whose images are of {name!r}; if they "
        f"are of {same!r}, move them there"
        for name, folder in level.with_images.items()
        for same in folder.with_images
        if same in level.with_images and same != name
    ]


def _find_similar_names(level: FolderLevel) -> list[str]:
    """Warn of names that differ in case or spaces only."""
    names: dict[str, list[str]] = {}
    for name in level.with_images:
        names.setdefault(" ".join(name.casefold().split()), []).append(name)
    return [
        f"classes {list_names(same)} differ in case or spaces alone; if they are one, put their images into one folder"
        for same in names.values()
        if len(same) > 1
    ]
