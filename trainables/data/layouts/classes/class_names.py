"""Checks that folders are classes, rather than splits, numbered parts, copies of each other, or masks and labels."""

from collections.abc import Collection

from trainables.common.errors import UserError
from trainables.data.layouts.classes.class_doubts import find_class_doubts
from trainables.data.layouts.classes.container_names import (
    is_annotation_name,
    is_container_name,
    is_never_class,
    is_unlabelled_name,
)
from trainables.data.layouts.detected_layout import list_names
from trainables.data.layouts.layout_errors import describe_labels, flat_folder_error
from trainables.data.layouts.level import FolderLevel
from trainables.data.layouts.split_names import FILLER_WORDS, find_splits, is_filler, read_split_name, split_words

VARIANT_NAMES = frozenset({
    "color", "colour", "rgb", "grayscale", "greyscale", "gray", "grey", "segmented", "augmented", "original", "raw",
    "processed", "preprocessed", "resized", "cropped", "enhanced", "noaugmentation", "withaugmentation",
})  # fmt: skip
"""Names of variants of the same images."""
PART_WORDS = FILLER_WORDS | {
    "fold",
    "folds",
    "batch",
    "chunk",
    "shard",
    "kfold",
    "cv",
    "volume",
    "page",
    "disk",
    "archive",
}
"""Words that, with a number, name a part of a data set."""


def check_single_class(level: FolderLevel) -> None:
    """Raise `UserError` if only one folder holds images: not the single class of a level, or none."""
    found = [name for name in level.with_images if not is_annotation_name(name)]
    if len(found) != 1 or (len(level.with_images) != len(found) and not is_container_name(found[0])):
        return
    inner = level.with_images[found[0]]
    if inner.is_flat and not inner.with_images and (is_container_name(found[0]) or is_filler(found[0])):
        raise flat_folder_error(inner, aside=[name for name in level.with_images if name not in found])


def check_beside_splits(base: FolderLevel, splits: Collection[str], train: FolderLevel) -> None:
    """Raise `UserError` if folders beside the splits are named like classes of train."""
    found = [name for name in base.with_images if name not in splits and name in train.with_images]
    if found:
        raise UserError(
            f"--data {str(base.path)!r}: {list_names(found)} beside {', '.join(map(repr, sorted(splits)))} "
            f"{'is' if len(found) == 1 else 'are'} named like classes of train; move these images into the splits, or "
            "out of the data folder"
        )


def check_class_folders(level: FolderLevel) -> list[str]:
    """Warnings about the class folders of a level; raises `UserError` if they are not classes."""
    where = f"--data {str(level.path)!r}"
    checks = (
        _find_splits, _find_containers, _find_numbered_parts, _find_variants, _find_splits_in_classes, _find_masks,
        _find_copies,
    )  # fmt: skip
    for doubt in (check(level) for check in checks):
        if doubt:
            raise UserError(f"{where}: {doubt}")
    return find_class_doubts(level)


def _find_splits(level: FolderLevel) -> str:
    """Several names that are those of splits."""
    read = {name: found for name in level.folders if (found := read_split_name(name))}
    plain = [name for name, found in read.items() if found.is_plain]
    deep = [name for name in read if name in level.with_images and not level.with_images[name].is_flat]
    suspects = plain if len(plain) > 1 else deep if len({read[name].split for name in deep}) > 1 else []
    if not suspects:
        return ""
    return (
        f"folders {list_names(suspects)} are named like splits and lie where classes are expected; put them in "
        "folders train, val and test beside each other, or give the classes other names"
    )


def _find_containers(level: FolderLevel) -> str:
    found = [name for name in level.with_images if is_container_name(name)]
    told = any(is_annotation_name(name) for name in found) and len(level.with_images) == 2
    if len(found) < 2 and not told and not any(is_never_class(name) for name in found):
        return ""
    if all(is_unlabelled_name(name, ()) for name in found):
        return f"{list_names(found)} holds images without labels; move it out of the data folder"
    return (
        f"{list_names(found)} {'is no name' if len(found) == 1 else 'are no names'} of classes; "
        f"{describe_labels(level)}"
        "give the folder whose folders are the classes, sort the images into CLASS/*.jpg, or "
        "give the classes other names"
    )


def _find_numbered_parts(level: FolderLevel) -> str:
    """`fold1`, `fold2`; `images_001`, `images_002`: numbered parts of one set."""
    words = [split_words(name) for name in level.with_images]
    texts = {tuple(word for word in name if not word.isdigit()) for name in words}
    if (
        len(words) < 2
        or len(texts) != 1
        or not set(*texts) & PART_WORDS
        or not all(set(name) - set(*texts) for name in words)
    ):
        return ""
    return (
        f"folders {list_names(list(level.with_images))} are numbered pieces of one set, not classes; "
        f"{describe_labels(level)}"
        "put their images into one set of folders, CLASS/*.jpg, or give the classes other names"
    )


def _find_splits_in_classes(level: FolderLevel) -> str:
    """`cat/train`, `cat/test`, `dog/train`, …: splits within classes."""
    inner = {
        name: find_splits(folder.innermost.with_images)
        for name, folder in level.with_images.items()
        if not folder.is_flat
    }
    found = {name: splits for name, splits in inner.items() if splits}
    sets = [name for name, splits in found.items() if _holds_classes(level.with_images[name].innermost, splits)]
    if not (len(found) > 1 or any(len(splits) > 1 for splits in found.values()) or sets):
        return ""
    name, splits = next(iter(found.items()))
    names = [folder for folders in splits.values() for folder in folders]
    if sets:
        return (
            f"folder {sets[0]!r} holds splits of classes ({list_names(names)}), and lies beside other folders of "
            f"images; give it alone: --data {str(level.with_images[sets[0]].path)!r}"
        )
    return (
        f"class folder {name!r} holds folders {list_names(names)}, which are named like splits; "
        "expected it the other way round, train/CLASS/*.jpg"
    )


def _holds_classes(level: FolderLevel, splits: dict[str, list[str]]) -> bool:
    """Whether a folder holds a split train of at least two class folders."""
    trains = (level.with_images[name] for name in splits.get("train", ()))
    return any(len(train.with_images) > 1 and not train.is_flat for train in trains)


def _find_variants(level: FolderLevel) -> str:
    """`color` and `grayscale`, each with the same classes."""
    inner = {frozenset(folder.with_images) for folder in level.with_images.values()}
    if len(inner) != 1 or len(*inner) < 2 or not all(_is_variant(name) for name in level.with_images):
        return ""
    first = next(iter(level.with_images.values()))
    return (
        f"folders {list_names(list(level.with_images))} hold equally named folders: variants of the same images? give "
        f"one of them, such as --data {str(first.path)!r}"
    )


def _is_variant(name: str) -> bool:
    return "".join(word for word in split_words(name) if word not in FILLER_WORDS) in VARIANT_NAMES


def _find_masks(level: FolderLevel) -> str:
    """`cat/images` and `cat/masks`: masks would become images of the class."""
    for name, folder in level.with_images.items():
        names = [] if folder.is_flat else [inner for inner in folder.with_images if is_container_name(inner)]
        if len(names) > 1 and any(is_annotation_name(inner) for inner in names):
            return (
                f"class folder {name!r} holds {list_names(names)}, and not all of these are images to classify; "
                "move the others out of the data folder"
            )
    return ""


def _find_copies(level: FolderLevel) -> str:
    """A folder that holds folders named as its neighbours: several or all of them, or one if it is named as a split."""
    for name, folder in level.with_images.items():
        others = set(level.with_images) - {name}
        same = others & set(folder.with_images)
        if len(same) > 1 or (same and (same == others or read_split_name(name))):
            return (
                f"folder {name!r} holds folders named as those beside it ({list_names(sorted(same))}): a second "
                f"copy? delete it, or give it alone: --data {str(folder.path)!r}"
            )
    return ""
