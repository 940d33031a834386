"""Labels of flat folders by the files that come with known data sets: read with certainty, or refused by line."""

from pathlib import Path

import pytest

from tests.helpers.images.data_sets import images
from tests.helpers.layouts.annotated_cases import (
    development_kit,
    flat_validation,
    kaggle_imagenet,
    one_hot,
    tiny_imagenet,
    write,
)
from trainables.common.errors import UserError
from trainables.data.layouts.left_out import LeftOutReason
from trainables.data.sources.source_registry import open_source
from trainables.data.store.store import prepare_data

VAL = "tiny-imagenet-200/val"


def labels(root: Path, split: str = "val") -> dict[str, str]:
    raw = open_source(str(root))
    part = raw.parts[split]
    return {Path(part.name(i)).stem[-1]: raw.classes[label] for i, label in enumerate(part.labels)}


def test_images_get_the_class_that_the_file_gives_them(tmp_path):
    assert labels(tiny_imagenet(tmp_path / "tiny")) == {"0": "n01", "1": "n02", "2": "n01", "3": "n02"}
    kaggle_imagenet(tmp_path / "kaggle")
    assert labels(tmp_path / "kaggle") == {"1": "n02", "2": "n01", "3": "n02"}
    development_kit(tmp_path / "kit")
    assert labels(tmp_path / "kit") == {"1": "n01", "2": "n02", "3": "n02"}, "by number, through the table of classes"
    one_hot("1, 0", "0, 1", "0, 1")(tmp_path / "hot")
    assert labels(tmp_path / "hot", "train") == {"0": "cat", "1": "dog", "2": "dog"}


def test_a_search_uses_them_and_another_label_makes_another_store(tmp_path):
    root = tiny_imagenet(tmp_path / "set")
    data = prepare_data(str(root))
    assert (data.train + data.val, data.test) == (6, 4), "val is the locked test split"
    assert data.split_sources["val"].endswith("val/images/ by tiny-imagenet-200/val/val_annotations.txt")
    file = root / VAL / "val_annotations.txt"
    file.write_text(file.read_text().replace("val_0.JPEG\tn01", "val_0.JPEG\tn02"))
    assert prepare_data(str(root)).fingerprint != data.fingerprint


def test_what_the_file_does_not_name_or_has_lost_is_said(tmp_path):
    root = tiny_imagenet(tmp_path / "set")
    (root / VAL / "images" / "val_0.JPEG").unlink()
    images(root / VAL / "images", 2)
    raw = open_source(str(root))
    assert [warning for warning in raw.layout.warnings if "labels 1 images that are not in" in warning]
    assert sum(found.reason == LeftOutReason.NO_ROW for found in raw.layout.left_out) == 2
    assert len(raw.parts["val"].labels) == 3


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["val_0.JPEG n01"], "line 1 .* is not an image and its class, separated by a tab"),
        (["val_0.JPEG\tn01", "val_1.JPEG\t"], "line 2 "),
        (["val_0.JPEG\tn01", "val_0.JPEG\tn02"], "gives image 'val_0.JPEG' two classes, 'n01' and 'n02'"),
        (["val_0.JPEG\tn03"], r"none of the classes of val \('n03'\) is one of train's"),
        (["val_0.JPEG\tn01", "val_1.JPEG\tn03"], r"'n03' has images \(1 of val\), but none of train"),
    ],
)
def test_annotations_that_are_not_sure_are_refused_by_line(tmp_path, lines, said):
    root = tiny_imagenet(tmp_path / "set")
    write(root / VAL / "val_annotations.txt", *lines)
    with pytest.raises(UserError, match=said):
        open_source(str(root))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"filename, cat, dog\ntrain0.png, 1, maybe\n", "line 2 .* 2 times 0 or 1"),
        (b"filename, cat, dog\ntrain0.png, 1\n", "line 2 "),
        (b"filename, cat, cat\ntrain0.png, 1, 0\n", "does not begin with the names of its columns"),
        (b"", "does not begin with the names of its columns"),
        (b"\xff\xfe\x00", "cannot be read as text in UTF-8"),
        (b"filename, cat, dog\ntrain0.png, 1, 1\n", "line 2 .* 2 classes"),
        (b"filename, cat, dog\ntrain0.png, 1, 0\n\ntrain0.png, 0, 1\n", "two classes"),
    ],
)
def test_a_table_of_ones_that_is_not_sure_is_refused_by_line(tmp_path, text, said):
    one_hot("1, 0", "0, 1", "1, 0")(tmp_path / "set")
    (tmp_path / "set" / "train" / "_classes.csv").write_bytes(text)
    with pytest.raises(UserError, match=said) as error:
        open_source(str(tmp_path / "set"))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("broken", ["text", "numbers", "cut"])
def test_a_development_kit_of_other_images_is_refused(tmp_path, broken):
    development_kit(tmp_path / "set")
    kit = tmp_path / "set" / "ILSVRC2012_devkit_t12" / "data"
    if broken == "text":
        (kit / "meta.mat").write_text("no table")
    else:
        write(kit / "ILSVRC2012_validation_ground_truth.txt", *(["9", "1", "1"] if broken == "numbers" else ["1"]))
    with pytest.raises(UserError, match=r"extract (it|both) from ILSVRC2012_devkit_t12\.tar\.gz"):
        open_source(str(tmp_path / "set"))


def test_numbers_label_no_images_of_other_names(tmp_path):
    root = flat_validation(tmp_path / "set")
    write(root / "ILSVRC2012_validation_ground_truth.txt", "1", "2", "1")
    for file in (root / "val").iterdir():
        file.rename(file.with_name(f"other {file.name}"))
    assert set(open_source(str(root)).parts) == {"train"}
