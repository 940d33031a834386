"""Which folders of a data set are its splits, and which its classes: what is sure is read, the rest refused."""

from dataclasses import dataclass
from pathlib import Path

from trainables.common.errors import UserError
from trainables.data.layouts.class_names import check_classes, is_beside, is_container, say_table
from trainables.data.layouts.detected_layout import list_names
from trainables.data.layouts.left_out import LeftOut, LeftOutReason
from trainables.data.layouts.level import Level
from trainables.data.layouts.listing import link_fault
from trainables.data.layouts.split_names import find_splits, is_filler, read_split_name, words_of

EXPECTED = "expected train/CLASS/*.jpg with val and test beside it or not, or CLASS/*.jpg"
VEHICLES = 3
"""Other class folders at least beside a folder `train` that is a class."""


@dataclass(frozen=True)
class FolderLayout:
    """Where the class folders of each split lie."""

    classes: dict[str, dict[str, Path]]
    """Class folders by name, of each split; `train` alone where the data set has no splits."""
    sources: dict[str, str]
    """Of each split: its folder, relative to the data set's."""
    left_out: tuple[LeftOut, ...]
    """What lies beside all of these."""
    warnings: tuple[str, ...]
    """What is doubtful, a line each."""


def find_layout(path: Path) -> FolderLayout:
    """The layout of the data set in `path`; raises `UserError` for one that is not sure, naming what is in doubt."""
    level, left_out = Level(path, path), list[LeftOut]()
    while inner := _wrapper(level):
        left_out += _beside(level, {inner.path.name})
        level = inner
    splits = find_splits(level.folders)
    if not splits or _is_class(level, splits):
        warnings = [f"folder {name!r} is taken for a class" for names in splits.values() for name in names]
        return _single(level, left_out, warnings)
    _check_splits(level, splits)
    return _split(level, {split: level.folders[name] for split, (name,) in splits.items()}, left_out)


def _wrapper(level: Level) -> Level | None:
    """The one folder that all images of a level lie in, where that is an extra level: an archive's own folder."""
    full = {name: inner for name, inner in level.full.items() if not is_beside(name)}
    if len(full) != 1 or level.is_flat:
        return None
    ((name, inner),) = full.items()
    if any(not any(other.path.iterdir()) for key, other in level.folders.items() if key != name):
        return None  # beside an empty folder, it is a class
    if read_split_name(name):
        return inner if "train" in find_splits(inner.full) and len(find_splits(inner.full)) > 1 else None
    return None if inner.is_flat else inner


def _is_class(level: Level, splits: dict[str, list[str]]) -> bool:
    """Whether the only split is a flat folder `train` among others: the vehicle."""
    if list(splits) != ["train"] or [words_of(name) for name in splits["train"]] != [("train",)]:
        return False
    others = [other for name, other in level.full.items() if name not in splits["train"]]
    return (
        len(others) >= VEHICLES
        and all(folder.is_flat and not folder.full for folder in level.full.values())
        and not any(is_container(other.path.name) for other in others)
        and not level.tables()
    )


def _check_splits(level: Level, splits: dict[str, list[str]]) -> None:
    """Raise `UserError` for splits without `train`, two folders of one split, or links to the outside."""
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
            f"{where}: has a folder {name!r} but no 'train'; {EXPECTED} (if {name!r} is a class, give it another name, "
            f"such as '{name}_class')"
        )
    for (name,) in splits.values():
        folder = level.folders[name].path
        if folder.is_symlink() and (fault := link_fault(folder, level.root.resolve())):
            raise UserError(f"--data: folder {str(folder)!r} is {fault}; links may lead to what is in it only")


def _single(level: Level, left_out: list[LeftOut], warnings: list[str]) -> FolderLayout:
    """A data set without splits: every folder is a class."""
    if not level.full:
        raise _flat(level) if level.is_flat else _empty(level)
    warnings += check_classes(level)
    classes, others = _class_folders(level)
    origin = "" if level.path == level.root else level.name
    return FolderLayout({"train": classes}, {"all": origin or "./"}, (*left_out, *others), tuple(warnings))


def _split(base: Level, splits: dict[str, Level], left_out: list[LeftOut]) -> FolderLayout:
    """A data set with a `train` and other splits."""
    left_out += _beside(base, {level.path.name for level in splits.values()})
    classes, sources, warnings = dict[str, dict[str, Path]](), dict[str, str](), list[str]()
    extra: set[str] = set()
    for split, outer in sorted(splits.items(), key=lambda item: item[0] != "train"):
        level = outer
        while inner := _doubled(level, split, extra):
            left_out += _beside(level, {inner.path.name})
            level = inner
        if not level.full:
            if not level.is_flat:
                raise _empty(level)
            if split == "train":
                raise _flat(level)
            left_out += outer.all_left_out(LeftOutReason.UNLABELLED_SPLIT)
            continue
        if split == "train":
            warnings += check_classes(level)
        classes[split], others = _class_folders(level)
        left_out += others
        sources[split] = level.name
    order = [split for split in ("train", "val", "test") if split in sources]
    by_name = sorted(classes, key=lambda split: splits[split].path.name)  # part of what identifies the data
    return FolderLayout(
        {split: classes[split] for split in by_name},
        {split: sources[split] for split in order},
        tuple(left_out),
        tuple(warnings),
    )


def _doubled(level: Level, split: str, extra: set[str]) -> Level | None:
    """The one folder in a split's that its classes lie in: `train/train/CLASS`, `train/images/CLASS`.

    `extra` collects the names of other such folders in train, since one class alone would be none; it is read first.
    """
    if len(level.full) != 1 or level.is_flat:
        return None
    ((name, inner),) = level.full.items()
    read = read_split_name(name)
    if (read and read.split == split) or is_filler(name) or words_of(name) == words_of(level.path.name):
        return inner
    if split == "train" and not read and not inner.is_flat and len(inner.full) > 1:
        extra.add(name)
    return inner if name in extra else None


def _class_folders(level: Level) -> tuple[dict[str, Path], list[LeftOut]]:
    """The classes of a level, and what lies beside them; folders such as `annotations` that hold no image are none."""
    classes = {
        name: folder.path for name, folder in level.folders.items() if name in level.full or not is_container(name)
    }
    return classes, _beside(level, set(classes))


def _beside(level: Level, used: set[str]) -> list[LeftOut]:
    """What lies in a level and not in the folders `used`."""
    others = [folder for name, folder in level.folders.items() if name not in used]
    return [*level.left_out(), *(file for folder in others for file in folder.all_left_out(LeftOutReason.NO_SPLIT))]


def _flat(level: Level) -> UserError:
    where = "it" if level.path == level.root else repr(level.name)
    return UserError(
        f"--data {str(level.root)!r}: the images lie directly in {where}, in no class folders; "
        f"{say_table(level)}{EXPECTED}"
    )


def _empty(level: Level) -> UserError:
    within = f"{level.path.name}/" if level.path != level.root else ""
    return UserError(
        f"--data: no images under {str(level.path)!r}; expected {within}CLASS/*.jpg (or png, webp, …)"
        + ("; delete the folder if there are none" if within else "")
    )
