"""`.npz` files of arrays as data: sure ones are read exactly, the rest refused with a remedy, nothing is unpickled."""

import os
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from trainables.common.errors import UserError
from trainables.data.layouts.left_out import LeftOutReason
from trainables.data.sources.source_registry import open_source
from trainables.data.store.store import LockedSplitError, open_store, prepare_data

COUNT = 24


def images(count=COUNT, shape=(10, 8), seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)


def labels(count=COUNT, classes=3):
    return np.arange(count) % classes


def save(path, **arrays):
    np.savez_compressed(path, **arrays)
    return str(path)


def refusal(path, **arrays):
    with pytest.raises(UserError) as error:
        open_source(save(path, **arrays))
    assert "\n" not in str(error.value)
    assert str(error.value).startswith("--data ")
    return str(error.value)


@pytest.mark.parametrize(
    "names",
    [
        {"train": ("x_train", "y_train"), "test": ("x_test", "y_test")},
        {"train": ("X_train", "Y_train"), "val": ("X_valid", "Y_valid"), "test": ("X_test", "Y_test")},
        {split: (f"{split}_images", f"{split}_labels") for split in ("train", "val", "test")},
        {"train": ("train_data", "train_target"), "val": ("dev_data", "dev_target")},
        {"train": ("images", "labels")},
        {"train": ("data", "target")},
        {"train": ("x", "y")},
    ],
)
def test_usual_names_are_read(tmp_path, names):
    arrays = {}
    for seed, (x, y) in enumerate(names.values()):
        arrays |= {x: images(seed=seed), y: labels()[:, None].astype(np.uint8)}
    raw = open_source(save(tmp_path / "set.npz", **arrays))
    assert list(raw.parts) == list(names)
    assert raw.classes == ("0", "1", "2")
    for seed, (split, (x, y)) in enumerate(names.items()):
        part = raw.parts[split]
        assert part.labels.tolist() == labels().tolist()
        assert np.array_equal(np.stack([part.decode(i) for i in range(COUNT)])[..., 0], images(seed=seed))
        assert raw.layout.sources[split] == f"{x}/{y}"
        assert part.name(3) == f"{x}[3]"
    assert (raw.name, raw.channels, raw.height, raw.width) == ("set", 1, 10, 8)


def test_it_prepares_the_same_store_as_a_folder_of_the_same_images(tmp_path, monkeypatch, logged):
    monkeypatch.setenv("SEARCHSPACE_CACHE", str(tmp_path / "cache"))
    pixels, names = images(30, (12, 12, 3)), np.array(["cat", "dog"]).repeat(15)
    for number, (image, name) in enumerate(zip(pixels, names, strict=True)):
        (tmp_path / "folder" / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(tmp_path / "folder" / name / f"{number:02}.png")
    packed = prepare_data(save(tmp_path / "pets.npz", images=pixels, labels=names))
    assert packed.fingerprint == prepare_data(str(tmp_path / "folder")).fingerprint
    assert logged[:2] == ["layout: train = images/labels (30 images)", "2 classes: 'cat', 'dog'"]
    assert packed.split_sources == {"train": "images/labels"}


def test_its_test_split_is_the_locked_one(tmp_path, monkeypatch):
    monkeypatch.setenv("SEARCHSPACE_CACHE", str(tmp_path / "cache"))
    held_out = images(9, seed=1)
    data = prepare_data(save(tmp_path / "a.npz", x_train=images(), y_train=labels(), x_test=held_out, y_test=labels(9)))
    store = open_store(data)
    assert (data.train + data.val, data.test) == (COUNT, 9)
    with pytest.raises(LockedSplitError):
        store.open_test(tmp_path / "permit")
    (tmp_path / "permit").touch()
    assert np.array_equal(store.open_test(tmp_path / "permit")[0][:, 0], held_out)
    assert store.open_test_origins(tmp_path / "permit").sizes == ((10, 8),) * 9


def test_labels_may_be_text_bytes_or_any_integers(tmp_path):
    text = np.array(["ant", "Große Katze", "bee"])[labels()]
    assert open_source(save(tmp_path / "a.npz", x=images(), y=text)).classes == ("Große Katze", "ant", "bee")
    coded = np.char.encode(text, "utf-8")
    assert open_source(save(tmp_path / "b.npz", x=images(), y=coded)).classes == ("Große Katze", "ant", "bee")
    raw = open_source(save(tmp_path / "c.npz", x=images(), y=labels() * 5 + 5))
    assert (raw.classes, raw.parts["train"].labels[:4].tolist()) == (("5", "10", "15"), [0, 1, 2, 0])
    names = np.array(["ant", "bee", "cat"])
    raw = open_source(save(tmp_path / "d.npz", x=images(), y=labels(), class_names=names))
    assert raw.classes == ("ant", "bee", "cat")


def test_large_and_small_images_are_stored_as_those_of_files_are(tmp_path):
    raw = open_source(save(tmp_path / "a.npz", x=images(6, (300, 400, 3)), y=labels(6)))
    assert (raw.height, raw.width, raw.parts["train"].decode(0).shape) == (256, 256, (256, 256, 3))
    raw = open_source(save(tmp_path / "b.npz", x=images(6, (4, 4)), y=labels(6)))
    assert (raw.height, raw.width, raw.parts["train"].decode(0).shape) == (8, 8, (8, 8, 1))


def test_arrays_that_are_not_used_are_said(tmp_path):
    raw = open_source(save(tmp_path / "a.npz", x_train=images(), y_train=labels(), x_test=images(), weights=np.ones(3)))
    found = {(left.kind, left.reason) for left in raw.layout.left_out}
    assert found == {("x_test", LeftOutReason.UNLABELLED_SPLIT), ("weights", LeftOutReason.NO_IMAGE)}


def test_scikit_learns_digits_are_read_by_their_images(tmp_path):
    pixels = images(shape=(8, 8))
    arrays = {"data": pixels.reshape(COUNT, 64) / 16.0, "images": pixels, "target": labels()}
    assert open_source(save(tmp_path / "digits.npz", **arrays)).layout.sources == {"train": "images/target"}


def test_a_folder_with_one_file_is_read_as_that_file(tmp_path):
    save(tmp_path / "a.npz", x=images(), y=labels())
    assert open_source(str(tmp_path)).name == "a"
    save(tmp_path / "b.npz", x=images(), y=labels())
    with pytest.raises(UserError):
        open_source(str(tmp_path))


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"a": images(), "b": labels()}, "expected x_train and y_train"),
        ({"x_test": images(), "y_test": labels()}, "expected x_train"),
        ({"x": images(), "y": labels(), "x_test": images(), "y_test": labels()}, "expected x_train"),
        ({"x": images(), "images": images(), "y": labels()}, "save the file with one of them"),
        ({"x": images() / 255, "y": labels()}, "save, say, (255 * x).round().astype('uint8')"),
        ({"x": images(shape=(64,)), "y": labels()}, "x.reshape"),
        ({"x": images(shape=(3, 8, 8)), "y": labels()}, "save x.transpose(0, 2, 3, 1)"),
        ({"x": images(shape=(8, 8, 4)), "y": labels()}, "x[..., :3]"),
        ({"x": images(0), "y": labels(0)}, "images are N x height x width"),
        ({"x": images(), "y": labels().astype(float)}, "save y.astype('int64')"),
        ({"x": images(), "y": np.eye(3)[labels()].astype(int)}, "y.argmax(axis=1)"),
        ({"x": images(), "y": labels(5)}, "for 24 images"),
        ({"x": images(), "y": labels() - 1}, "label -1"),
        ({"x": images(), "y": labels() * 0}, "only one class"),
        ({"x": images(), "y": labels(), "classes": np.array(["a", "b"])}, "labels such as 2"),
        ({"x": images(), "y": labels(), "classes": np.array(list("abcd"))}, "class 'd' has no training image"),
        (
            {"x_train": images(), "y_train": labels(), "x_val": images(), "y_val": labels(classes=4)},
            "no image of train has the label '3' of val",
        ),
        (
            {"x_train": images(), "y_train": labels(), "x_val": images(shape=(10, 8, 3)), "y_val": labels()},
            "number of channels differs (1 in train, 3 in val)",
        ),
    ],
)
def test_what_is_not_sure_is_one_line_with_a_remedy(tmp_path, arrays, said):
    assert said in refusal(tmp_path / "a.npz", **arrays)


class Harmful:
    def __reduce__(self):
        return os.mkdir, ("harmed",)


def test_pickled_objects_are_refused_unread(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    objects = np.array([Harmful()] * COUNT, dtype=object)
    assert "pickled objects" in refusal(tmp_path / "a.npz", x=images(), y=objects)
    assert "images are uint8" in refusal(tmp_path / "b.npz", x=objects, y=labels())
    assert "pickled objects" in refusal(tmp_path / "c.npz", x=images(), y=labels(), classes=objects)
    assert not (tmp_path / "harmed").exists()


def test_damaged_and_oversized_files_are_one_line(tmp_path, monkeypatch):
    file = tmp_path / "a.npz"
    file.write_bytes(b"PK no archive")
    with pytest.raises(UserError, match="holds no arrays"):
        open_source(str(file))
    save(file, x=images(), y=labels())
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(UserError, match="holds no arrays"):
        open_source(str(file))
    save(file, x=images(), y=labels())
    monkeypatch.setattr("trainables.storage.arrays.read_headers.__defaults__", (1000,))
    with pytest.raises(UserError, match="at most 1,000 are read"):
        open_source(str(file))


KEYS = st.sampled_from([
    "x_train", "y_train", "x_test", "y_test", "val_images", "val_labels", "images", "labels", "data", "target", "",
    "classes", "class_names", "x", "y", "arr_0", "train_test_x", "x_mean",
])  # fmt: skip
ARRAYS = st.builds(
    lambda dtype, shape, fill: np.full(shape, fill).astype(dtype),
    st.sampled_from(["u1", "i8", "f4", "U2", "S2", "?", "M8[s]", "c8"]),
    st.lists(st.sampled_from([0, 1, 2, 3, 9]), max_size=4),
    st.integers(0, 2),
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(arrays=st.dictionaries(KEYS, ARRAYS, max_size=6))
def test_any_arrays_are_a_data_set_or_one_line(tmp_path, arrays):
    file = tmp_path / "any.npz"
    with zipfile.ZipFile(file, "w") as packed:
        for name, array in arrays.items():
            with packed.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, array)
    raw, said = None, ""
    try:
        raw = open_source(str(file))
    except UserError as error:
        said = str(error)
    assert "\n" not in said
    for split, part in raw.parts.items() if raw else ():
        assert len(part.labels) == len(arrays[raw.layout.sources[split].split("/")[0]])
        assert part.decode(0).shape == (raw.height, raw.width, raw.channels)
