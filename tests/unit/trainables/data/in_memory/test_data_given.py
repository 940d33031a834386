"""Data in memory are read back as they were given: pixels, labels, class names and splits."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from trainables.common.errors import UserError
from trainables.data.data_options import DataOptions
from trainables.data.in_memory.array_data import ArrayData
from trainables.data.in_memory.data_given import as_data_option
from trainables.data.in_memory.kept_files import file_time, is_kept
from trainables.data.sources.source import RawSet
from trainables.data.sources.source_registry import open_source
from trainables.storage.folders import remove_tree

COUNT = 12
LABELS = np.arange(COUNT) % 3


def make_pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def read_back(data: object, **options: str) -> RawSet:
    found = as_data_option(data)
    return open_source(found.data, DataOptions(**dict(found.options) | options))


def assert_holds(raw: RawSet, images: np.ndarray, labels: list[str], split: str = "train") -> None:
    """Check that a split has these images (n, h, w, c), and labels by name."""
    part = raw.parts[split]
    assert [raw.classes[label] for label in part.labels] == labels
    for row, image in enumerate(images):
        np.testing.assert_array_equal(part.decode(row), image)


@pytest.mark.parametrize("convert", [np.asarray, torch.from_numpy], ids=["array", "tensor"])
@pytest.mark.parametrize(
    ("shape", "axes"),
    [((9, 7), None), ((9, 7, 1), None), ((9, 7, 3), None), ((1, 9, 7), (1, 2, 0)), ((3, 9, 7), (1, 2, 0))],
)
def test_arrays_are_read_as_given(convert, shape, axes):
    images = make_pixels(COUNT, *shape)
    last = images.transpose(0, *(axis + 1 for axis in axes)) if axes else images
    assert_holds(read_back((convert(images), convert(LABELS))), last.reshape(COUNT, 9, 7, -1), [str(n) for n in LABELS])


@settings(max_examples=60, deadline=None)
@given(
    sides=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    count=st.sampled_from([0, 1, 3]),
    first=st.booleans(),
    said=st.booleans(),
)
def test_no_shape_is_misread(sides, count, first, said):
    """Whatever the shape, the pixels are read as meant, or it is refused and `channels` decides."""
    shape = sides if not count else (count, *sides) if first else (*sides, count)
    images = make_pixels(COUNT, *shape)
    meant = images[..., None] if not count else images.transpose(0, 2, 3, 1) if first else images
    unsure = bool(count) and {shape[0], shape[-1]} <= {1, 3} and not said
    data = ArrayData(train=(images, LABELS), channels=("first" if first else "last") if said else None)
    with pytest.raises(UserError, match="channels may be first or last") if unsure else nullcontext():
        found = as_data_option(data).data
        np.testing.assert_array_equal(np.load(found)["x_train"], meant)
        assert open_source(found).channels == meant.shape[-1]


def test_splits_and_class_names_are_kept():
    images = make_pixels(COUNT, 9, 9, 3)
    names = ("owl", "cat", "lynx")
    splits = {"train": (images, LABELS), "validation": (images[:3], LABELS[:3]), "test": (images[3:6], LABELS[3:6])}
    raw = read_back({"train": (images, [names[n] for n in LABELS])})
    assert raw.classes == ("cat", "lynx", "owl")
    raw = read_back(ArrayData(**{"train": splits["train"], "test": splits["test"]}, classes=names))
    assert raw.classes == names
    assert_holds(raw, images[3:6], [names[n] for n in LABELS[3:6]], "test")
    assert set(read_back(splits).parts) == {"train", "val", "test"}


def test_names_as_labels_get_the_numbers_of_the_classes_given():
    names = ("owl", "cat", "lynx")
    raw = read_back(ArrayData(train=(make_pixels(COUNT, 9, 9), [names[n] for n in LABELS]), classes=names))
    assert raw.classes == names
    assert list(raw.parts["train"].labels) == list(LABELS)


def test_pictures_of_any_mode_and_size_are_kept_without_loss():
    pictures = [Image.fromarray(make_pixels(8 + n, 9, 3)) for n in range(COUNT)]
    raw = read_back((pictures, ["a", "b"] * 6))
    assert raw.classes == ("a", "b")
    sizes = read_back((pictures, ["a", "b"] * 6), keep_aspect=True)
    for row, picture in enumerate(pictures):
        np.testing.assert_array_equal(sizes.parts["train"].decode(row), np.asarray(picture))


class Pairs(torch.utils.data.Dataset):
    """As torchvision's: pairs of picture and number, and names of classes."""

    classes = ("shirt", "shoe", "bag")

    def __len__(self):
        return COUNT

    def __getitem__(self, place):
        if place >= COUNT:
            raise IndexError
        return Image.fromarray(make_pixels(8, 8) + np.uint8(place)), int(LABELS[place])


def test_a_data_set_of_torch_keeps_its_class_names():
    raw = read_back({"train": Pairs(), "test": torch.utils.data.Subset(Pairs(), [0, 1, 2])})
    assert raw.classes == ("shirt", "shoe", "bag")
    images = np.stack([make_pixels(8, 8)[..., None] + np.uint8(n) for n in range(3)])
    assert_holds(raw, images, ["shirt", "shoe", "bag"], "test")


@pytest.fixture
def frame(tmp_path):
    """Files of pictures, of which a frame has the names."""
    for place in range(COUNT):
        Image.fromarray(make_pixels(8, 8, 3) + np.uint8(place)).save(tmp_path / f"{place}.png")
    return pd.DataFrame({"file": [f"{n}.png" for n in range(COUNT)], "kind": [f"00{n}" for n in LABELS]})


def test_a_frame_of_relative_paths_starts_from_the_working_folder(frame, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    raw = read_back(frame)
    assert raw.classes == ("000", "001", "002")
    expected = np.stack([make_pixels(8, 8, 3) + np.uint8(n) for n in range(COUNT)])
    assert_holds(raw, expected, list(frame["kind"]))
    moved = as_data_option(frame, root="elsewhere")
    assert moved.options == {}


@pytest.mark.parametrize("kind", [lambda path: path, str])
def test_a_frame_may_hold_paths_and_categories(frame, tmp_path, kind):
    changed = frame.assign(
        file=[kind(tmp_path / name) for name in frame["file"]], kind=frame["kind"].astype("category")
    )
    assert read_back(changed).classes == ("000", "001", "002")


def test_a_split_column_of_a_frame_is_read(frame, tmp_path):
    frame["split"] = ["train"] * 9 + ["test"] * 3
    raw = read_back(frame.assign(file=[str(tmp_path / name) for name in frame["file"]]))
    assert {name: len(part.labels) for name, part in raw.parts.items()} == {"train": 9, "test": 3}


def test_data_sets_of_hugging_face_keep_splits_and_class_names():
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(image=datasets.Image(), label=datasets.ClassLabel(names=["owl", "cat", "lynx"]))
    images = make_pixels(COUNT, 8, 8, 3)
    rows = {"image": [Image.fromarray(image) for image in images], "label": LABELS.tolist()}
    whole = datasets.Dataset.from_dict(rows, features=features)
    both = datasets.DatasetDict(train=whole.select(range(9)), test=whole.shuffle(seed=0).select(range(4)))
    raw = read_back(both.with_format("torch"))
    assert raw.classes == ("owl", "cat", "lynx")
    assert_holds(raw, images[:9], [raw.classes[n] for n in LABELS[:9]])
    assert len(raw.parts["test"].labels) == 4
    assert as_data_option(whole).data == as_data_option(datasets.Dataset.from_dict(rows, features=features)).data
    with pytest.raises(UserError, match="streaming=False"):
        as_data_option(whole.to_iterable_dataset())


def data_of_each_kind() -> list[object]:
    pixels = make_pixels(COUNT, 8, 8)
    return [(pixels, LABELS), (list(pixels), LABELS), pd.DataFrame({"file": ["a.png", "b.png"], "kind": ["a", "b"]})]


@pytest.mark.parametrize("kind", range(3))
def test_the_same_data_are_kept_once_and_known_again(kind, monkeypatch, tmp_path):
    monkeypatch.setenv("SEARCHSPACE_CACHE", str(tmp_path / "cache"))
    first = as_data_option(data_of_each_kind()[kind]).data
    assert as_data_option(data_of_each_kind()[kind]).data == first
    assert is_kept(first)
    kept = tmp_path / "cache" / "in-memory"
    assert len(list(kept.iterdir())) == 1
    before = {path: path.stat().st_mtime_ns for path in kept.rglob("*.*")}
    remove_tree(kept)
    assert as_data_option(data_of_each_kind()[kind]).data == first
    assert {path: path.stat().st_mtime_ns for path in kept.rglob("*.*")} == before
    assert set(before.values()) == {file_time(Path(first).parent.name)}


TWO = np.zeros((2, 9, 9), np.uint8)
REFUSED = {
    "floats": ((np.zeros((2, 4, 4, 3)), [0, 1]), r"train images: float64 .*\.astype\('uint8'\)"),
    "float tensors": ((torch.zeros(2, 3, 4, 4), [0, 1]), r"\.to\(torch\.uint8\)"),
    "transparency": ((np.zeros((2, 9, 9, 4), np.uint8), [0, 1]), r"x\[\.\.\., :3\]"),
    "no channels": ((np.zeros((2, 9, 9, 5), np.uint8), [0, 1]), "grey images have 1, RGB ones 3"),
    "nothing": ((np.zeros((0, 9, 9), np.uint8), []), "holds no pixels"),
    "counts": ((TWO, [0, 1, 1]), "for 2 images"),
    "one-hot": ((TWO, np.eye(2)), r"y\.argmax"),
    "float labels": ((TWO, [0.5, 1.0]), r"y\.astype\('int64'\)"),
    "mixed labels": ((TWO, [0, "a"]), "several types"),
    "mixed names": (([np.zeros((9, 9), np.uint8)] * 2, [0, "a"]), "several types"),
    "floats in a list": (([np.zeros((9, 9))] * 2, [0, 1]), "train image 0: float64"),
    "no images": (([], []), "holds no images"),
    "unknown class": (ArrayData(train=(TWO, ["a", "bat"]), classes=["a", "bad"]), "did you mean 'bad'"),
    "no number": (ArrayData(train=(TWO, [0, 2]), classes=["a", "b"]), "2 is the number of no class"),
    "wrong axis": (ArrayData(train=(np.zeros((2, 9, 9, 3), np.uint8), [0, 1]), channels="first"), "channels='first'"),
    "no train": ({"test": ([], [])}, "no 'train'"),
    "no split": ({"images": ([], [])}, "'images' is not one of train"),
    "no pair": ({"train": 3}, "expected a pair"),
    "no items": (pd.DataFrame({"file": []}), "without rows"),
    "cells": (pd.DataFrame({"image": [object(), object()], "label": ["a", "b"]}), "cells that no table holds"),
    "a number": (3, "int; give a name"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "said"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_sure_is_refused(data, said):
    with pytest.raises(UserError, match=said):
        as_data_option(data)


def test_writers_side_by_side_keep_one_copy(monkeypatch, tmp_path):
    monkeypatch.setenv("SEARCHSPACE_CACHE", str(tmp_path / "cache"))
    images = list(make_pixels(COUNT, 9, 9))
    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(lambda _: as_data_option((images, LABELS)).data, range(16)))
    assert len(found) == 1
    assert len(list((tmp_path / "cache" / "in-memory").iterdir())) == 1
    assert_holds(read_back((images, LABELS)), make_pixels(COUNT, 9, 9)[..., None], [str(n) for n in LABELS])


def test_a_cache_that_is_damaged_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setenv("SEARCHSPACE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "in-memory").write_text("a file")
    with pytest.raises(UserError, match="is a file, not a folder"):
        as_data_option((make_pixels(COUNT, 9, 9), LABELS))


def test_a_picture_that_cannot_be_read_is_its_own_error(tmp_path):
    Image.new("L", (9, 9)).save(tmp_path / "a.png")
    pictures = [Image.open(tmp_path / "a.png") for _ in range(2)]
    pictures[1].close()
    with pytest.raises(UserError, match="train image 1"):
        as_data_option((pictures, ["a", "b"]))


@pytest.mark.parametrize("convert", [lambda images: images, list], ids=["arrays", "pictures"])
def test_other_data_of_the_same_size_are_another_data_set(convert):
    images = np.zeros((COUNT, 9, 9), np.uint8)
    first, second = images.copy(), images.copy()
    first[0, 0, 0], second[0, 0, 0] = 1, 2
    raw = [read_back((convert(each), LABELS)) for each in (first, second)]
    assert raw[0].identity != raw[1].identity
