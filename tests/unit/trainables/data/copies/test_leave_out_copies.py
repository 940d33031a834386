"""Copies of held-out images leave training: which, how it is said, and what becomes of earlier stores."""

import io
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from searchspace.preparation.data_issues import copy_image_lists, describe_data_issues
from searchspace.preparation.prepare_data import describe_data
from searchspace.preparation.storage_options import resolve_options
from searchspace.reporting.html.images import pictured_copies
from searchspace.spec import make_spec, save_record
from tests.helpers.images.photographs import CHANGES, photograph
from trainables.common.errors import UserError
from trainables.common.escaping import read_csv
from trainables.data.copies.copy_pictures import COPY_PICTURES, read_copy_pictures
from trainables.data.copies.find_copies import SPLIT_ORDER, SplitImages, find_copies
from trainables.data.copies.leaked_images import LEAKED_IMAGES
from trainables.data.copies.perceptual_hash import NO_HASH
from trainables.data.data_options import DataOptions
from trainables.data.store.file_digests import compute_digests, read_digests, write_digests
from trainables.data.store.store import open_store, prepare_data
from trainables.data.store.store_arrays import compute_fingerprint

KEPT = DataOptions(keep_copies=True)


def save(file: Path, picture: Image.Image) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    picture.save(file)


def photographs_set(root: Path, counts: dict[str, int]) -> Path:
    """So many photographs of each class in each split, all different: `train/a/0.png` …"""
    number = 0
    for split, count in counts.items():
        for name in ("a", "b"):
            for place in range(count):
                save(root / split / name / f"{place}.png", photograph(number, 40))
                number += 1
    return root


@pytest.fixture
def leaky(tmp_path: Path) -> Path:
    """Photographs, where test has copies of train and val, and val of train."""
    root = photographs_set(tmp_path / "set", {"train": 20, "val": 6, "test": 8})
    opened = {
        name: Image.open(root / name) for name in ("train/a/3.png", "train/a/4.png", "train/b/5.png", "val/a/1.png")
    }
    save(root / "test/a/equal.bmp", opened["train/a/3.png"])
    save(root / "test/a/near.png", CHANGES["re-encoded"](opened["train/a/4.png"]))
    save(root / "test/a/of-val.png", CHANGES["darker"](opened["val/a/1.png"]))
    save(root / "test/a/other-class.png", CHANGES["re-encoded"](opened["train/b/5.png"]))
    save(root / "val/b/noise.png", Image.open(root / "train/a/7.png"))
    return root


def read_list(data) -> list[tuple[str, ...]]:
    with (Path(data.path) / LEAKED_IMAGES).open(newline="", encoding="utf-8") as file:
        rows = read_csv(file)
    for row in rows:
        row["image"], row["same_as"] = Path(row["image"]).name, "/".join(Path(row["same_as"]).parts[-3:])
    names = ("image", "split", "same_as", "its_split", "kind", "labels", "left_out")
    return [tuple(row[name] for name in names) for row in rows]


LISTED = [
    ("noise.png", "val", "train/a/7.png", "train", "equal pixels", "different", "yes"),
    ("equal.bmp", "test", "train/a/3.png", "train", "equal pixels", "same", "yes"),
    ("near.png", "test", "train/a/4.png", "train", "near copy", "same", "yes"),
    ("of-val.png", "test", "val/a/1.png", "val", "near copy", "same", "yes"),
    ("other-class.png", "test", "train/b/5.png", "train", "near copy", "different", "no"),
]


def test_copies_leave_train_and_val_are_listed_and_said(leaky):
    data = prepare_data(str(leaky))
    assert (data.train, data.val, data.test) == (37, 12, 20)
    assert read_list(data) == LISTED
    copies = data.copies
    assert (copies.equal, copies.near, copies.other_label, copies.near_staying) == (2, 3, 1, 1)
    assert copies.left_out == {"train": 3, "val": 1}
    assert data.leaked == 0
    assert "; 4 images left out as copies of held-out images (leaked-images.csv)" in describe_data(data)
    assert describe_data_issues(data.model_dump()) == [
        "3 training images left out: copies of held-out images (`../leaked-images.csv`; --keep-copies keeps them).",
        "1 validation image left out: copies of held-out images (`../leaked-images.csv`; --keep-copies keeps them).",
        "Near copies of 1 held-out image stay in an earlier split, being of another class (`../leaked-images.csv`).",
        "Equal copies of 1 held-out image have another class: one of both labels is wrong.",
    ]


def test_copies_are_pictured_beside_what_they_are_copies_of(leaky, tmp_path):
    data = prepare_data(str(leaky))
    pairs = read_copy_pictures(Path(data.path))
    assert [pair.is_equal for pair in pairs] == [False, False, False, True, True]
    equal = pairs[-1]
    assert (Path(equal.image).name, equal.split, equal.its_split, equal.is_left_out) == (
        "equal.bmp", "test", "train", True,
    )  # fmt: skip
    picture = np.asarray(Image.open(io.BytesIO(equal.png)))
    assert picture.shape == (40, 84, 3)
    assert np.array_equal(picture[:, :40], picture[:, 44:])
    assert np.array_equal(picture[:, :40], np.asarray(Image.open(leaky / "train/a/3.png")))
    copy_image_lists(data, tmp_path)
    (block,) = pictured_copies(SimpleNamespace(folder=tmp_path, data=data))
    assert len(block.pictures) == 5
    assert block.pictures[-1].lines[0] == "equal pixels; left out of train"
    (tmp_path / COPY_PICTURES).unlink()
    assert list(pictured_copies(SimpleNamespace(folder=tmp_path, data=data))) == []


def test_what_is_left_is_as_if_the_copies_had_never_been(leaky, tmp_path, monkeypatch):
    data = prepare_data(str(leaky))
    for name in ("train/a/7.png", "train/a/3.png", "train/a/4.png", "val/a/1.png", "test/a/other-class.png"):
        (leaky / name).unlink()
    save(leaky / "test/a/other-class.png", CHANGES["re-encoded"](Image.open(leaky / "train/b/5.png")))
    monkeypatch.setenv("SEARCHSPACE_CACHE", str(tmp_path / "without"))
    without = prepare_data(str(leaky))
    assert without.fingerprint == data.fingerprint == compute_fingerprint(Path(data.path), data.classes)
    for name in ("mean", "std", "counts", "finals", "train", "val", "test"):
        assert getattr(without, name) == getattr(data, name), name
    assert without.copies.left_out == {}


def test_copies_are_kept_where_it_is_asked_for(leaky):
    kept = prepare_data(str(leaky), options=KEPT)
    assert (kept.train, kept.val, kept.test) == (40, 13, 20)
    assert read_list(kept) == [(*row[:-1], "no") for row in LISTED]
    assert (kept.leaked, kept.copies.still_near) == (2, 3)
    assert describe_data_issues(kept.model_dump())[0] == (
        "Equal copies of 2 held-out images and near copies of 3 held-out images stay in an earlier split "
        "(--keep-copies; `../leaked-images.csv`)."
    )
    assert open_store(kept).summary == kept
    data = prepare_data(str(leaky))
    assert data.path != kept.path
    assert prepare_data(str(leaky), options=KEPT) == kept
    assert prepare_data(str(leaky)) == data
    assert prepare_data(str(leaky), options=kept.options_to_repeat) == kept
    assert prepare_data(str(leaky), options=data.options_to_repeat) == data


def forget_copies(data) -> None:
    """Make a store one of an earlier version, which knew nothing of copies."""
    folder = Path(data.path)
    summary = json.loads((folder / "summary.json").read_text())
    del summary["copies"], summary["options"]
    (folder / "summary.json").write_text(json.dumps(summary))
    write_digests(folder, compute_digests(folder, read_digests(folder).files))


def test_a_store_of_an_earlier_version_is_found_again_and_its_searches_go_on(leaky, tmp_path):
    earlier = prepare_data(str(leaky), options=KEPT)
    forget_copies(earlier)
    record = earlier.model_copy(update={"copies": None, "options": DataOptions()})
    assert open_store(record).path == Path(earlier.path)
    again = prepare_data(str(leaky), options=record.options_to_repeat)
    assert (again.fingerprint, again.path, again.copies) == (earlier.fingerprint, earlier.path, None)
    spec = make_spec(name="s", results=str(tmp_path), data=str(leaky))
    spec.folder.mkdir()
    save_record(spec.folder, spec, {"data": record.model_dump(exclude={"copies"})})
    assert resolve_options(spec, resumed=True).keep_copies
    data = prepare_data(str(leaky))
    assert data.path != earlier.path
    assert data.copies.left_out == {"train": 3, "val": 1}
    save_record(spec.folder, spec, {"data": data.model_dump()})
    assert not resolve_options(spec, resumed=True).keep_copies


def test_a_set_without_copies_has_one_store_whatever_is_asked_for(tmp_path):
    root = photographs_set(tmp_path / "set", {"train": 12, "test": 6})
    data, kept = prepare_data(str(root)), prepare_data(str(root), options=KEPT)
    assert data.path == kept.path
    assert describe_data_issues(data.model_dump()) == []
    forget_copies(data)
    assert prepare_data(str(root)).path == data.path


def test_a_class_of_copies_alone_is_an_error_that_says_so(tmp_path):
    root = photographs_set(tmp_path / "set", {"train": 12, "test": 12})
    for file in (root / "train/a").iterdir():
        save(root / "test/a" / file.name, Image.open(file))
    with pytest.raises(UserError, match=r"class 'a' has no training image left, such as .*; take .*--keep-copies$"):
        prepare_data(str(root))
    assert prepare_data(str(root), options=KEPT).leaked == 12


def test_many_near_copies_stay_since_they_are_one_thing(tmp_path):
    root = photographs_set(tmp_path / "set", {"train": 20, "test": 6})
    for place in range(14):
        save(root / "test/a" / f"near{place}.png", CHANGES["brighter"](Image.open(root / f"train/a/{place}.png")))
    data = prepare_data(str(root))
    assert data.train + data.val == 40 - data.copies.left_out.get("val", 0) - data.copies.left_out.get("train", 0)
    assert data.copies.too_many
    assert any("--group-by keeps images of one scene" in line for line in data.copies.describe())


def test_published_splits_stay_as_they_are(digits):
    assert digits.copies.kept == "published"
    assert digits.copies.search == "too small"
    assert digits.copies.describe() == []


@settings(max_examples=100, deadline=None)
@given(*(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 1)), max_size=25) for _ in SPLIT_ORDER))
def test_no_equal_pixels_are_left_in_two_splits(train, val, test):
    pixels = {"train": train, "val": val, "test": test}
    splits = {
        split: SplitImages(
            np.array([f"{kind:02}" for kind, _ in found], "S12"), np.full(len(found), NO_HASH),
            np.array([label for _, label in found], np.int64), np.arange(len(found)), f"{split} {{}}".format,
        )
        for split, found in pixels.items()
    }  # fmt: skip
    found = find_copies(splits, lambda split, place: np.zeros((1, 1, 1), np.uint8))
    rest = {
        split: {kind for place, (kind, _) in enumerate(images) if place not in set(found.leaving.get(split, ()))}
        for split, images in pixels.items()
    }
    kinds = {split: {kind for kind, _ in images} for split, images in pixels.items()}
    assert rest["test"] == kinds["test"]
    assert rest["val"] == kinds["val"] - kinds["test"]
    assert rest["train"] == kinds["train"] - kinds["val"] - kinds["test"]
    listed = {(each.same_as, each.its_split) for each in found.listed}
    assert listed == {
        (f"{split} {place}", split) for split, places in found.leaving.items() for place in places.tolist()
    } | {(each.same_as, each.its_split) for each in found.listed if not each.is_left_out}
    assert all(each.is_left_out and each.is_equal for each in found.listed)
    assert found.summary.equal == len({each.image for each in found.listed})
