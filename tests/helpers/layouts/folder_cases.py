"""Folders of images, by the row of docs/data.md that describes them."""

from pathlib import Path

from tests.helpers.images.data_sets import image
from tests.helpers.layouts.layout_case import LayoutCase, files, tree

CLASSES = tree(cat=4, dog=4)
SPLITS = tree(train__cat=4, train__dog=4, test__cat=2, test__dog=2)


def _formats(root: Path) -> None:
    for place, name in enumerate(("a.jfif", "b.avif", "c.jpe", "d.jp2", "e")):
        image(root / "cat" / name, place)
        image(root / "dog" / name, place + 10)


def _class_elsewhere(root: Path) -> None:
    tree(train__cat=4, train__dog=4, test__cat=2, test__bird=2)(root)


FOLDER_CASES = {
    "class-folders": LayoutCase(CLASSES, "cat dog", {"train": 8}),
    "split-folders": LayoutCase(SPLITS, "cat dog", {"train": 8, "test": 4}),
    "split-names": LayoutCase(
        tree(Training__cat=4, Training__dog=4, holdout__cat=2, holdout__dog=2, dev__cat=1, dev__dog=1),
        "cat dog",
        {"train": 8, "test": 4, "val": 2},
    ),
    "doubled-level": LayoutCase(
        tree(training_set__training_set__cat=4, training_set__training_set__dog=4, test_set__test_set__cat=2,
             test_set__test_set__dog=2),
        "cat dog",
        {"train": 8, "test": 4},
    ),
    "archive-level": LayoutCase(
        tree(archive__train__cat=4, archive__train__dog=4, archive__test__cat=2, archive__test__dog=2),
        "cat dog",
        {"train": 8, "test": 4},
    ),
    "two-names-of-a-split": LayoutCase(
        tree(train__cat=4, train__dog=4, val__cat=2, val__dog=2, valid__cat=2, valid__dog=2),
        refused="all mean the val split"
    ),
    "splits-in-classes": LayoutCase(
        tree(cat__train=4, cat__test=2, dog__train=4, dog__test=2), refused="expected it the other way round"
    ),
    "flat-test": LayoutCase(
        tree(train__cat=4, train__dog=4, test=3), "cat dog", {"train": 8}, frozenset({"unlabelled split"})
    ),
    "flat-folder": LayoutCase(tree(**{"": 5}), refused="the images lie directly in"),
    "class-missing-in-test": LayoutCase(
        tree(train__cat=4, train__dog=4, test__cat=2), "cat dog", {"train": 8, "test": 2}
    ),
    "class-missing-in-train": LayoutCase(_class_elsewhere, refused="class folder 'bird' has images (2 of test)"),
    "empty-class": LayoutCase(tree(cat=4, dog=4, bird=0), refused="class folder 'bird' holds no images"),
    "formats": LayoutCase(_formats, "cat dog", {"train": 10}),
    "undecoded": LayoutCase(
        files(CLASSES, cat__x_psd=b"8BPS", dog__film_mov=b"", notes_txt=b"a"), "cat dog", {"train": 8},
        frozenset({"format", "video", "no image"}),
    ),
    "system-files": LayoutCase(
        files(CLASSES, __MACOSX__cat__a_jpg=b"", cat__Thumbs_db=b"", Thumbs_db=b""), "cat dog", {"train": 8},
        frozenset({"hidden"}),
    ),
}  # fmt: skip
