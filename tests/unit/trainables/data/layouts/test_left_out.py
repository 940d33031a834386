"""What of a data folder is not used: nothing without a word, in the layout's lines, the record and the list."""

import csv
import os
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from searchspace.preparation.data_issues import copy_image_lists, describe_absent, describe_data_issues
from tests.helpers.images.data_sets import images
from tests.helpers.recording_reporter import Told
from trainables.common.errors import UserError
from trainables.data.decoding import decode
from trainables.data.decoding.decode import FORMATS
from trainables.data.layouts import image_files
from trainables.data.layouts.image_files import (
    IMAGE_SUFFIXES,
    UNDECODED,
    VIDEO_SUFFIXES,
    kind_by_content,
    kind_by_name,
)
from trainables.data.layouts.left_out import LEFT_OUT
from trainables.data.sources.source_registry import open_source
from trainables.data.splits import make_splits
from trainables.data.store.store import prepare_data

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 3\n"


@pytest.fixture
def without_heif(monkeypatch):
    """As where the extra that decodes HEIC is not installed."""
    monkeypatch.setattr(image_files, "is_heif_decoded", lambda: False)
    monkeypatch.setattr(decode, "with_heif", lambda formats: formats)


def two_classes(root: Path, count: int = 10) -> Path:
    for name in ("cat", "dog"):
        images(root / name, count)
    return root


def put(file: Path, content: bytes = b"x") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def test_every_suffix_that_pillow_has_for_a_decoded_format_is_an_image():
    Image.init()
    decoded = {suffix for suffix, form in Image.EXTENSION.items() if form in FORMATS} - {".pfm"}  # it holds floats
    assert decoded <= IMAGE_SUFFIXES
    assert not IMAGE_SUFFIXES & (UNDECODED | VIDEO_SUFFIXES)
    others = {suffix for suffix, form in Image.EXTENSION.items() if form not in {*FORMATS, "MPO", "DIB"}}
    assert not others & IMAGE_SUFFIXES


@pytest.mark.parametrize("form", FORMATS)
def test_content_tells_every_decoded_format(tmp_path, form):
    Image.new("RGB", (8, 8)).save(tmp_path / "it", form)
    assert kind_by_content((tmp_path / "it").read_bytes()[:64]) == "image"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avif", "image"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp42", "video"),
        (b"BMW is no bitmap", "other"),
        (b"Portable", "other"),
        (POINTER, "other"),
        (b"", "other"),
    ],
)
def test_content_tells_what_is_no_image(content, kind):
    assert kind_by_content(content) == kind


def test_content_and_name_tell_heic_where_it_is_not_decoded(without_heif):
    assert kind_by_content(HEIC) == kind_by_name("IMG_0001.HEIC") == "heif"


def test_all_that_is_left_out_is_said_counted_and_listed(tmp_path, logged, without_heif):
    root = two_classes(tmp_path / "set")
    for name in ("cat/1.HEIC", "cat/2.heic", "dog/3.CR2", "dog/film.MOV", "notes.txt", "dog/labels.csv", "cat/data"):
        put(root / name)
    put(root / "dog" / "photo.jpg_large", b"\xff\xd8\xff\xe0")
    put(root / "dog" / ".DS_Store")
    images(root, 2)
    told = Told()
    data = prepare_data(str(root), told)
    block = logged[: next(i for i, line in enumerate(logged) if "decoding" in line)]
    assert block == [
        "layout: class folders in ./ (20 images), no splits",
        "2 classes: 'cat', 'dog'",
        "images: all 8x8 pixels (width x height), RGB",
        "warning: left out 2 .heic: to use them, pip install 'searchspace[heic]', or convert them to JPEG "
        "(left-out.csv)",
        "warning: left out 1 .cr2: a format that is not decoded; convert them to JPEG or PNG to use them "
        "(left-out.csv)",
        "warning: left out 1 .mov: videos; save their frames as images to use them (left-out.csv)",
        "warning: left out 1 .jpg_large: images by their content, but not by their suffix; rename them to use them "
        "(left-out.csv)",
        "warning: left out 2 .png: images that lie in no class folder (left-out.csv)",
        "left out 1 without suffix, 1 .csv, 1 .txt: no images · 1 .DS_Store: hidden, or left by the system "
        "(left-out.csv)",
    ]
    assert data.train + data.val + data.test == 20
    copy_image_lists(data, tmp_path)
    with (tmp_path / LEFT_OUT).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    used = {str(file) for name in ("cat", "dog") for file in (root / name).glob("*.png")}
    assert {row["path"] for row in rows} | used == {str(file) for file in root.rglob("*") if file.is_file()}
    counted = {(count.reason, count.kind): count.count for count in data.left_out}
    assert counted == Counter((row["reason"], row["kind"]) for row in rows)
    assert "7 files that may have been meant as images were not used: `../left-out.csv`." in describe_data_issues(
        data.model_dump()
    )


def test_what_is_left_out_makes_no_other_store_and_its_list_is_of_now(tmp_path, logged, without_heif):
    root = two_classes(tmp_path / "set")
    before = prepare_data(str(root))
    put(root / "cat" / "more.heic")
    told = Told()
    after = prepare_data(str(root), told)
    assert (after.path, after.fingerprint) == (before.path, before.fingerprint)
    assert any("1 .heic" in line for line in logged)
    assert (Path(after.path) / LEFT_OUT).is_file()
    (root / "cat" / "more.heic").unlink()
    assert prepare_data(str(root)) == before
    assert not (Path(before.path) / LEFT_OUT).exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (HEIC, r"HEIC, which is not decoded here; pip install 'searchspace\[heic\]', or convert it to JPEG"),
        (POINTER, "a Git LFS pointer.*git lfs pull"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp42", "a video"),
        (b"8BPS\0\1", "Photoshop, which is not decoded"),
    ],
)
def test_what_is_named_like_an_image_and_is_none_says_what_it_is(tmp_path, content, said, without_heif):
    put(two_classes(tmp_path / "set") / "cat" / "it.jpg", content)
    with pytest.raises(UserError, match=rf"it\.jpg \({said}"):
        prepare_data(str(tmp_path / "set"))


def test_a_class_of_formats_that_are_not_decoded_says_so(tmp_path, without_heif):
    root = two_classes(tmp_path / "set")
    for name in ("1.heic", "2.HEIC", "3.dng"):
        put(root / "bird" / name)
    with pytest.raises(UserError, match=r"'bird' holds .* decoded here \(2 \.heic, 1 \.dng\); pip install 's"):
        prepare_data(str(tmp_path / "set"))


@pytest.mark.parametrize("place", ["results", "cat/runs", "."])
def test_results_inside_the_data_are_no_class_and_change_nothing(tmp_path, place):
    root = two_classes(tmp_path / "set")
    before = prepare_data(str(root))
    for search in ("one", "two"):
        for name in ("search.json", "search.lock", "study.journal", "trials/trial-0/a.png"):
            put(root / place / search / name)
        images(root / place / search / "winner", 2)
    put(root / place / "mlflow.db")
    put(root / place / "mlruns" / "1" / "confusion.png")
    after = prepare_data(str(root))
    assert (after.classes, after.fingerprint, after.path) == (before.classes, before.fingerprint, before.path)
    left_out = {(count.reason, count.kind) for count in after.left_out}
    named = {"one/", "two/", "mlruns/"} if place == "." else {f"{Path(place).name}/"}
    assert {kind for reason, kind in left_out if reason == "results"} == named


@pytest.mark.parametrize("empty", [False, True])
@pytest.mark.parametrize("part", ["val", "test"])
def test_a_class_may_be_missing_from_what_is_not_trained_on(tmp_path, part, empty):
    for split, names in (("train", ("0", "180", "90")), ("val", ("0", "180", "90")), ("test", ("0", "180", "90"))):
        for name in names:
            if not (split == part and name == "180"):
                images(tmp_path / "set" / split / name, 5)
            elif empty:
                (tmp_path / "set" / split / name).mkdir(parents=True)
    raw = open_source(str(tmp_path / "set"))
    assert [raw.classes[label] for label in raw.parts[part].labels] == ["0"] * 5 + ["90"] * 5, "labels go by name"
    data = prepare_data(str(tmp_path / "set"))
    assert data.absent == {part: ("180",)}
    (line,) = describe_absent(data.absent)
    assert line == f"{part} has no image of class '180', so nothing is measured of it there"


def test_advice_on_an_empty_class_works(tmp_path):
    root = tmp_path / "set"
    for split in ("train", "test"):
        two_classes(root / split, 5)
        (root / split / "bird").mkdir()
    with pytest.raises(UserError, match=r"'bird' holds no images; .* delete the folder from every split"):
        open_source(str(root))
    for split in ("train", "test"):
        (root / split / "bird").rmdir()
    assert open_source(str(root)).classes == ("cat", "dog")
    images(root / "test" / "bird", 2)
    with pytest.raises(UserError, match=r"'bird' has images \(2 of test\), but none of train: .*put some into train's"):
        open_source(str(root))
    images(root / "train" / "bird", 2)
    assert open_source(str(root)).classes == ("bird", "cat", "dog")


@pytest.mark.parametrize(
    ("parts", "named"),
    [
        ({"": {"a": 9, "b": 1, "c": 2}}, "'b' (1), 'c' (2); a class needs at least 3"),
        ({"": {"a": 1, "b": 1}}, "'a' (1), 'b' (1); a class needs at least 3"),
        ({"train/": {"a": 9, "b": 1}, "test/": {"a": 3, "b": 3}}, "'b' (1); a class needs at least 2"),
        ({"train/": {"a": 9, "b": 1}, "val/": {"a": 3, "b": 3}}, "'b' (1); a class needs at least 2"),
    ],
)
def test_classes_with_too_few_images_are_named_with_their_counts(tmp_path, parts, named):
    for part, classes in parts.items():
        for name, count in classes.items():
            images(tmp_path / "set" / part / name, count)
    with pytest.raises(UserError) as error:
        make_splits(open_source(str(tmp_path / "set")))
    assert named in str(error.value)
    assert "populated" not in str(error.value), "not scikit-learn's words"


@pytest.mark.parametrize("counts", [(3, 3), (3, 4, 5), (3, 400), (3,) * 40])
def test_as_many_images_as_are_asked_for_are_enough(tmp_path, counts):
    for name, count in enumerate(counts):
        images(tmp_path / "set" / f"class {name:02}", count)
    splits, _ = make_splits(open_source(str(tmp_path / "set")))
    assert sum(len(rows) for _, rows in splits.values()) == sum(counts)


def test_a_name_that_is_no_text_can_be_listed(tmp_path, without_heif):
    root = two_classes(tmp_path / "set")
    put(Path(os.fsdecode(os.fsencode(root) + b"/cat/caf\xe9.heic")))
    data = prepare_data(str(root))
    assert "caf\\udce9.heic" in (Path(data.path) / LEFT_OUT).read_text(encoding="utf-8")
