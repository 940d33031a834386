"""Layouts of folders of images: each reading is exactly the truth, or an error that names what is in doubt."""

import random
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.helpers.images.data_sets import image, images
from tests.helpers.layouts.layout_case import tree
from trainables.common.errors import UserError
from trainables.data.layouts.classes.container_names import CONTAINER_NAMES, NEVER_CLASSES
from trainables.data.layouts.split_names import find_splits, read_split_name
from trainables.data.sources.source_registry import open_source

SPELLINGS = {
    "train": (
        "train",
        "training",
        "training_set",
        "train_images",
        "train-data",
        "trainset",
        "TrainImages",
        "train2017",
    ),
    "val": ("val", "valid", "validation", "dev", "val_set", "valid_images", "validationData"),
    "test": ("test", "testing", "test_set", "holdout", "hold-out", "eval", "test images", "testset"),
}
CASES = (str, str.lower, str.upper, str.title)
SUFFIXES = (
    ".jpg",
    ".JPG",
    ".jpeg",
    ".jfif",
    ".jpe",
    ".png",
    ".PNG",
    ".webp",
    ".bmp",
    ".gif",
    ".tif",
    ".avif",
    ".jp2",
    "",
)
CLASSES = ("cat", "dog", "Große Katze", "0", "n01440764", "no-helmet")


def truth(raw) -> dict[str, dict[str, str]]:
    """Class of each image by path, of each part."""
    return {
        name: {part.name(i): raw.classes[label] for i, label in enumerate(part.labels)}
        for name, part in raw.parts.items()
    }


def compose(root: Path, rng: random.Random) -> dict[str, dict[str, str]]:
    """A data set of a layout drawn at random; returns the class of each image of each split."""
    base = root
    if rng.random() < 0.3:
        base = base / rng.choice(["archive", "dataset", "Flowers", "images", "my data"])
    if rng.random() < 0.15:
        base = base / base.name
    names = rng.sample(CLASSES, rng.randint(2, 4))
    splits = ["train", *(split for split in ("val", "test") if rng.random() < 0.6)] if rng.random() < 0.8 else ["all"]
    doubled, change, suffix = rng.random() < 0.3, rng.choice(CASES), rng.choice(SUFFIXES)
    prefix = "seg_" if len(splits) > 1 and rng.random() < 0.15 else ""
    found: dict[str, dict[str, str]] = {}
    for split in splits:
        folder = base
        if split != "all":
            spelled = prefix + (split if prefix else change(rng.choice(SPELLINGS[split])))
            folder = base / spelled / spelled if doubled else base / spelled
        found["train" if split == "all" else split] = {
            str(file): name for name in names for file in images(folder / name, rng.randint(1, 3), suffix)
        }
    litter(base, names, splits, rng)
    return found


def litter(base: Path, names: list[str], splits: list[str], rng: random.Random) -> None:
    """What people and systems leave beside the images, and is none of them."""
    if rng.random() < 0.3:
        images(base / "__MACOSX" / "train" / "cat", 2)
    if rng.random() < 0.3:
        (base / ".DS_Store").write_bytes(b"left by a Mac")
    if rng.random() < 0.3:
        (base / "readme.txt").write_text("what this is")
    if "all" not in splits and rng.random() < 0.4:
        images(base / rng.choice(["Meta", "extra", "papers", "samples"]), 2)
    if "all" not in splits and "test" not in splits and rng.random() < 0.2:
        images(base / "Test", 3)  # without class folders


@pytest.mark.parametrize("seed", range(60))
def test_a_layout_is_read_as_it_is_meant(tmp_path, seed):
    meant = compose(tmp_path / "set", random.Random(seed))
    raw = open_source(str(tmp_path / "set"))
    assert truth(raw) == meant
    assert set(raw.classes) == set(next(iter(meant.values())).values())
    used = {path for part in meant.values() for path in part}
    known = used | {file.path for file in raw.layout.left_out}
    every = [file for file in (tmp_path / "set").rglob("*") if file.is_file()]
    assert {str(file) for file in every if not any(str(parent) in known for parent in (file, *file.parents))} == set()


def spell(split: str, rng: random.Random, count: int = 1) -> list[str]:
    change = rng.choice(CASES)
    return [change(name) for name in rng.sample(list(SPELLINGS[split]), count)]


def two_of_one_split(root: Path, rng: random.Random) -> list[str]:
    split = rng.choice(["train", "val", "test"])
    named = spell(split, rng, 2)
    for folder in (*named, *([] if split == "train" else ["train"])):
        for name in CLASSES[:2]:
            images(root / folder / name, 2)
    return named


def no_train(root: Path, rng: random.Random) -> list[str]:
    named = [*spell("val", rng), *spell("test", rng)]
    for folder in named:
        for name in CLASSES[:2]:
            images(root / folder / name, 2)
    return [min(named)]


def classes_before_splits(root: Path, rng: random.Random) -> list[str]:
    named = [*spell("train", rng), *spell("test", rng)]
    for folder in named:
        for name in CLASSES[:2]:
            images(root / name / folder, 2)
    return named


def flat_with_a_table(root: Path, rng: random.Random) -> list[str]:
    train = spell("train", rng)
    for folder in (*train, *spell("test", rng)):
        images(root / folder, 3)
    (root / "labels.csv").write_text("id,label\n0,cat\n")
    return ["labels.csv", *train]


def no_classes(root: Path, rng: random.Random) -> list[str]:
    named = rng.choice([["images", "masks"], ["JPEGImages", "Annotations"], ["fold1", "fold2"], ["img_01", "img_02"]])
    for folder in named:
        images(root / folder, 3)
    return named


def a_second_copy(root: Path, _rng: random.Random) -> list[str]:
    for folder in (root, root / "cells"):
        for name in CLASSES[:2]:
            images(folder / name, 2)
    return ["cells"]


def trained_on_never(root: Path, rng: random.Random) -> list[str]:
    for folder in (*spell("train", rng), *(test := spell("test", rng))):
        for name in CLASSES[:2]:
            images(root / folder / name, 2)
    images(root / test[0] / "strange", 2)
    return ["strange", "(2 of test)"]


UNSURE = (
    two_of_one_split, no_train, classes_before_splits, flat_with_a_table, no_classes, a_second_copy, trained_on_never,
)  # fmt: skip


@pytest.mark.parametrize("make", UNSURE)
@pytest.mark.parametrize("seed", range(6))
def test_a_layout_that_is_not_sure_is_refused_with_what_is_in_doubt(tmp_path, make, seed):
    named = make(tmp_path / "set", random.Random(seed))
    with pytest.raises(UserError) as error:
        open_source(str(tmp_path / "set"))
    assert all(name in str(error.value) for name in named), error.value
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "split"),
    [
        *((change(name), split) for split, names in SPELLINGS.items() for name in names for change in CASES),
        ("01_train", "train"), ("val2017", "val"), ("Entraînement", "train"), ("testing data", "test"),
        ("训练集", "train"), ("cats", None), ("trainer", None), ("contest", None), ("invalid", None),
        ("valley", None), ("latest", None),
        ("train_test", None), ("2017", None), ("images", None),
    ],
)  # fmt: skip
def test_a_name_means_a_split_in_any_case_and_form(name, split):
    read = read_split_name(name)
    assert (read.split if read and read.is_plain else None) == split


def test_families_of_names_are_splits_and_single_ones_are_not():
    assert find_splits(["seg_train", "seg_test", "seg_pred"]) == {"test": ["seg_test"], "train": ["seg_train"]}
    assert find_splits(["crash_test", "normal"]) == {}
    assert find_splits(["train_station", "test_track"]) == {}


def test_a_train_among_vehicles_is_a_class(tmp_path):
    for name in ("train", "bus", "car", "plane"):
        images(tmp_path / "vehicles" / name, 3)
        images(tmp_path / "split" / "train" / name, 3)
    raw = open_source(str(tmp_path / "vehicles"))
    assert raw.classes == ("bus", "car", "plane", "train")
    assert raw.layout.warnings == ("folder 'train' is read as a class",)
    assert open_source(str(tmp_path / "split")).classes == raw.classes
    images(tmp_path / "vehicles" / "test", 3)
    with pytest.raises(UserError, match="train/"):
        open_source(str(tmp_path / "vehicles"))


def test_masks_beside_images_are_no_images(tmp_path):
    for name in ("cat", "dog"):
        images(tmp_path / "one" / "CUB" / "images" / name, 3)
        images(tmp_path / "one" / "segmentations" / name, 3)
        for file in images(tmp_path / "two" / name, 3):
            image(file.with_stem(f"{file.stem}_mask"), 1)
            image(file.with_stem(f"{file.stem}_mask_1"), 2)
        for inner in ("images", "masks"):
            images(tmp_path / "three" / name / inner, 3)
        images(tmp_path / "four" / f"{name}_mask", 3)
    for root in ("one", "two"):
        raw = open_source(str(tmp_path / root))
        assert (raw.classes, len(raw.parts["train"].labels)) == (("cat", "dog"), 6)
        assert not any("mask" in raw.parts["train"].name(i).rpartition("/")[2] for i in range(6))
        assert len(raw.layout.left_out) == (6 if root == "one" else 12)
    with pytest.raises(UserError, match=r"class folder 'cat' holds 'images', 'masks', and not all of these are images"):
        open_source(str(tmp_path / "three"))
    assert open_source(str(tmp_path / "four")).classes == ("cat_mask", "dog_mask")


def test_an_extra_level_in_every_split_is_none_of_the_classes(tmp_path):
    for split in ("dev", "train", "Test"):
        for name in ("rose", "tulip"):
            images(tmp_path / "set" / split / "Flowers" / name, 3)
    raw = open_source(str(tmp_path / "set"))
    assert raw.classes == ("rose", "tulip")
    assert raw.layout.sources == {"train": "train/Flowers/", "val": "dev/Flowers/", "test": "Test/Flowers/"}


def test_equally_named_folders_in_classes_are_doubtful(tmp_path):
    for name in ("one", "other"):
        for inner in ("cat", "dog"):
            images(tmp_path / "set" / name / inner, 2)
    (warning,) = open_source(str(tmp_path / "set")).layout.warnings
    assert "'one', 'other' hold equally named folders ('cat', 'dog')" in warning


def test_a_class_in_a_class_and_a_set_beside_other_pictures_are_doubtful(tmp_path):
    tree(dog=2, bird=2, copy=1, copy__dog=2)(tmp_path / "one")
    (warning,) = open_source(str(tmp_path / "one")).layout.warnings
    assert "class 'copy' holds a folder named as class 'dog' beside it" in warning
    tree(archive__cat=2, archive__dog=2, extra=1)(tmp_path / "other")
    (warning,) = open_source(str(tmp_path / "other")).layout.warnings
    found = re.search(
        r"if the folders in 'archive' \('cat', 'dog'\) are the classes, give it alone: --data '(.*)'", warning
    )
    assert open_source(found[1]).classes == ("cat", "dog")


def test_classes_of_one_name_are_doubtful(tmp_path):
    for name in ("Cat", "cat", "dog"):
        images(tmp_path / "set" / name, 2)
    raw = open_source(str(tmp_path / "set"))
    (warning,) = raw.layout.warnings
    assert "'Cat', 'cat' differ in case or spaces alone" in warning
    assert raw.classes == ("Cat", "cat", "dog")


def test_containers_include_what_is_never_a_class():
    assert NEVER_CLASSES < CONTAINER_NAMES


FOUND_BY_DRAWING = {
    "an undecoded image above the set": (tree(archive__a=2, archive__b=2), "raw.CR2", {"a": 2, "b": 2}),
    "an undecoded image above two levels": (tree(x__y__a=2, x__y__b=2), "raw.CR2", {"a": 2, "b": 2}),
    "an undecoded image beside the classes": (tree(archive__a=2, archive__b=2), "archive/raw.CR2", {"a": 2, "b": 2}),
    "an undecoded image beside the splits": (tree(x__train__a=2, x__train__b=2), "raw.CR2", {"a": 2, "b": 2}),
    "pictures beside two levels": (tree(x__y__train__a=2, x__y__train__b=2, docs=1), "", {"a": 2, "b": 2}),
    "a split of one class": (tree(train__a=2, train__b=2, test__a=1, eval=2), "", {"a": 2, "b": 2}),
    "a single class once more": (tree(cat=2, copy__cat=2), "", "folder 'copy' holds folders named as"),
    "a part of the classes once more": (tree(a=2, b=2, c=2, x__a=2, x__b=2), "", "folder 'x' holds folders named as"),
    "a class in a split of its name": (tree(train__train__a=2, train__a=2, train__b=2), "", "folder 'train' holds"),
    "others beside two levels": (tree(x__y__train__a=2, x__y__train__b=2, more=1), "", "holds splits of classes"),
}  # fmt: skip


@pytest.mark.parametrize("name", FOUND_BY_DRAWING)
def test_what_was_found_by_drawing_stays_mended(tmp_path, name):
    make, beside, expected = FOUND_BY_DRAWING[name]
    make(tmp_path / "set")
    if beside:
        (tmp_path / "set" / beside).write_bytes(b"raw")
    if isinstance(expected, str):
        with pytest.raises(UserError, match=expected):
            open_source(str(tmp_path / "set"))
        return
    raw = open_source(str(tmp_path / "set"))
    assert Counter(raw.classes[label] for label in raw.parts["train"].labels) == expected
