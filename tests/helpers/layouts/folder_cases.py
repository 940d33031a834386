"""Folders of images, by the row of docs/layouts.md that describes them."""

from pathlib import Path

from tests.helpers.images.data_sets import heic_image, image
from tests.helpers.layouts.layout_case import LayoutCase, files, tree
from trainables.data.data_options import DataOptions
from trainables.data.decoding.heif import is_heif_decoded

CLASSES = tree(cat=4, dog=4)
SPLITS = tree(train__cat=4, train__dog=4, test__cat=2, test__dog=2)


def _formats(root: Path) -> None:
    for place, name in enumerate(("a.jfif", "b.avif", "c.jpe", "d.jp2", "e")):
        image(root / "cat" / name, place)
        image(root / "dog" / name, place + 10)


def _links(root: Path) -> None:
    CLASSES(root)
    (root / "cat" / "loop").symlink_to(root)
    (root / "cat" / "again.png").symlink_to(root / "cat" / "cat0.png")


def _links_out(root: Path) -> None:
    tree(cat=4)(root)
    image(root.parent / "elsewhere" / "a.png", 9)
    (root / "dog").symlink_to(root.parent / "elsewhere")


def _links_across(root: Path) -> None:
    CLASSES(root)
    (root / "dog" / "again.png").symlink_to(root / "cat" / "cat0.png")


def _links_nowhere(root: Path) -> None:
    CLASSES(root)
    (root / "bird").symlink_to("nowhere")


def _heic(root: Path) -> None:
    tree(cat=1, dog=1)(root)
    for number, name in enumerate(("cat", "dog")):
        heic_image(root / name / "IMG_1.HEIC", number)


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
    "two-names-one-labelled": LayoutCase(
        tree(train__cat=4, train__dog=4, val__cat=2, val__dog=2, valid=2), "cat dog", {"train": 8, "val": 4},
        frozenset({"unlabelled split"}),
    ),
    "class-named-train": LayoutCase(
        tree(train=3, bus=3, car=3, plane=3), "bus car plane train", {"train": 12},
        warns="folder 'train' is read as a class",
    ),
    "class-named-test": LayoutCase(
        tree(test=3, bus=3, car=3), refused="if 'test' is a class, give it another name, such as 'tests'"
    ),
    "splits-beside-folders": LayoutCase(
        tree(data__train__cat=4, data__train__dog=4, docs=1), "cat dog", {"train": 8}, frozenset({"no split"})
    ),
    "classes-beside-splits": LayoutCase(
        tree(train__cat=4, train__dog=4, cat=1), refused="'cat' beside 'train' is named like classes of train"
    ),
    "second-copy": LayoutCase(
        tree(cat=4, dog=4, flowers__cat=4, flowers__dog=4), refused="folder 'flowers' holds folders named as those"
    ),
    "variants": LayoutCase(
        tree(color__a=2, color__b=2, grayscale__a=2, grayscale__b=2), refused="variants of the same images? give one"
    ),
    "equal-inner-folders": LayoutCase(
        tree(north__a=2, north__b=2, south__a=2, south__b=2), "north south", {"train": 8},
        warns="hold equally named folders",
    ),
    "finer-classes": LayoutCase(
        tree(birds__owl=2, birds__emu=2, cats__lion=2, cats__lynx=2), "birds cats", {"train": 8},
        warns="if those folders are the classes, move them up a level",
    ),
    "numbered-parts": LayoutCase(tree(fold1__a=2, fold1__b=2, fold2__a=2), refused="are numbered pieces of one set"),
    "unlabelled-folder-in-test": LayoutCase(
        tree(train__cat=4, train__dog=4, test__unknown=3), "cat dog", {"train": 8}, frozenset({"unlabelled split"})
    ),
    "flat-test-with-table": LayoutCase(
        files(tree(Train__0=4, Train__1=4, Test=3, Meta=2), Test_csv=b"Path,Class\nTest/a.png,0\n"), "0 1",
        {"train": 8}, frozenset({"unlabelled split", "no split", "no image"}), warns="if 'Test.csv' holds its labels",
    ),
    "few-images-given-splits": LayoutCase(
        tree(train__cat=4, train__dog=1, val__cat=1, val__dog=1, test__cat=1, test__dog=1), "cat dog",
        {"train": 5, "val": 2, "test": 2},
    ),
    "one-class": LayoutCase(tree(cat=4), refused="only one class, 'cat'; a classifier needs at least 2"),
    "results-inside": LayoutCase(
        files(CLASSES, my_runs__a__search_json=b"{}", my_runs__a__search_log=b"", my_runs__a__winner__x_png=b""),
        "cat dog", {"train": 8}, frozenset({"results"}),
    ),
    "links-within": LayoutCase(_links, "cat dog", {"train": 8}, frozenset({"link"})),
    "links-out": LayoutCase(_links_out, refused="out of the data folder; --follow-links follows it"),
    "links-followed": LayoutCase(_links_out, "cat dog", {"train": 5}, options=DataOptions(follow_links=True)),
    "links-two-classes": LayoutCase(_links_across, refused="is a link to an image of another class"),
    "links-nowhere": LayoutCase(_links_nowhere, refused="is a link that leads nowhere"),
    "heic": LayoutCase(
        _heic, "cat dog", {"train": 4 if is_heif_decoded() else 2}, frozenset(() if is_heif_decoded() else {"heif"})
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
