"""Checks that folders are classes, rather than splits, numbered parts, copies of each other, or masks and labels."""

from trainables.common.errors import UserError
from trainables.data.layouts.detected_layout import list_names
from trainables.data.layouts.level import FolderLevel
from trainables.data.layouts.split_names import FILLER_WORDS, find_splits, is_filler, read_split_name, split_words

NEVER_CLASSES = frozenset({
    "images", "image", "imgs", "img", "jpegimages", "annotations", "annotation", "unlabeled",
    "unlabelled", "unsup",
})  # fmt: skip
"""Names that are never classes."""
ANNOTATION_NAMES = frozenset({
    "masks", "labels", "annotations", "annotation", "annots", "segmentation", "segmentations", "groundtruth", "gt",
    "trimaps", "superpixels", "meta", "metadata", "bbox", "bboxes", "thumbnails", "thumbs",
})  # fmt: skip
"""Names of folders that describe images, such as their masks."""
CONTAINER_NAMES = NEVER_CLASSES | ANNOTATION_NAMES | {
    "mask", "label", "pictures", "photos", "labeled", "labelled",
    "extra", "pred", "preds", "predictions", "docs", "doc", "sample", "samples",
}  # fmt: skip
"""Names that are rarely a class, and never two classes of one data set."""
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


def is_annotation_name(name: str) -> bool:
    """Whether a folder's name says that it describes images, such as their masks."""
    return "".join(split_words(name)) in ANNOTATION_NAMES


def is_container_name(name: str) -> bool:
    """Whether a folder's name says that it holds files of some kind, rather than a class."""
    return "".join(split_words(name)) in CONTAINER_NAMES


def format_label_tables(level: FolderLevel) -> str:
    """A clause about files that may hold labels, with a remedy; empty if there are none."""
    tables = level.find_label_tables()
    if not tables:
        return ""
    return f"where a table holds their labels ({list_names(tables)}), give it: --data TABLE.csv; "


def check_class_folders(level: FolderLevel) -> list[str]:
    """Warnings about the class folders of a level; raises `UserError` if they are not classes."""
    where = f"--data {str(level.path)!r}"
    checks = (_find_splits, _find_containers, _find_numbered_parts, _find_splits_in_classes, _find_masks, _find_copies)
    for doubt in (check(level) for check in checks):
        if doubt:
            raise UserError(f"{where}: {doubt}")
    return [*_find_alike(level), *_find_similar_names(level)]


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
    if len(found) < 2 and not told and not any("".join(split_words(name)) in NEVER_CLASSES for name in found):
        return ""
    return (
        f"{list_names(found)} {'is no name' if len(found) == 1 else 'are no names'} of classes; "
        f"{format_label_tables(level)}"
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
        f"{format_label_tables(level)}"
        "put their images into one set of folders, CLASS/*.jpg, or give the classes other names"
    )


def _find_splits_in_classes(level: FolderLevel) -> str:
    """`cat/train`, `cat/test`, `dog/train`, …: splits within classes."""
    inner = {name: find_splits(folder.with_images) for name, folder in level.with_images.items() if not folder.is_flat}
    found = {name: splits for name, splits in inner.items() if splits}
    if not (len(found) > 1 or any(len(splits) > 1 for splits in found.values())):
        return ""
    name, splits = next(iter(found.items()))
    names = [folder for folders in splits.values() for folder in folders]
    return (
        f"class folder {name!r} holds folders {list_names(names)}, which are named like splits; "
        "expected it the other way round, train/CLASS/*.jpg"
    )


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
    """A folder that holds folders with the names of all its neighbours."""
    for name, folder in level.with_images.items():
        others = set(level.with_images) - {name}
        if len(others) > 1 and not folder.is_flat and others <= set(folder.with_images):
            return (
                f"folder {name!r} holds folders named as those beside it ({list_names(sorted(others))}): a second "
                f"copy? delete it, or give it alone: --data {str(folder.path)!r}"
            )
    return ""


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
