"""Names of folders that hold images of all classes, describe images, or say that there are no labels."""

from collections.abc import Collection

from trainables.data.layouts.split_names import split_words

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
UNLABELLED_NAMES = frozenset({
    "unlabeled", "unlabelled", "unsup", "unknown", "nolabel", "nolabels", "unclassified", "all",
})  # fmt: skip
"""Names that say, where they are the only folder of a split, that its images have no labels."""


def is_never_class(name: str) -> bool:
    """Whether a folder's name says that it is no class."""
    return "".join(split_words(name)) in NEVER_CLASSES


def is_annotation_name(name: str) -> bool:
    """Whether a folder's name says that it describes images, such as their masks."""
    return "".join(split_words(name)) in ANNOTATION_NAMES


def is_unlabelled_name(name: str, classes: Collection[str]) -> bool:
    """Whether a folder's name says that its images have no labels; no name of a known class does."""
    return name not in classes and "".join(split_words(name)) in UNLABELLED_NAMES


def is_container_name(name: str) -> bool:
    """Whether a folder's name says that it holds files of some kind, rather than a class."""
    return "".join(split_words(name)) in CONTAINER_NAMES
