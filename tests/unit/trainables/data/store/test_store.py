"""Sources, splits and the store, on real files."""

import gzip
import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.helpers.images.data_sets import write_images, write_parquet
from trainables.common.errors import UserError
from trainables.data.data_options import DataOptions
from trainables.data.sources.source_registry import open_source
from trainables.data.splits import make_splits
from trainables.data.store.file_digests import FileDigests, FolderDigests
from trainables.data.store.store import LockedSplitError, open_store, prepare_data


def test_digits_are_split_once_and_for_all(digits, digits_store, tmp_path):
    assert (digits.train, digits.val, digits.test) == (1298, 229, 270)
    assert prepare_data("digits") == digits
    permit = tmp_path / "permit"
    permit.touch()
    test_images, test_labels = digits_store.open_test(permit)
    everything = {image.tobytes() for image in digits_store.images} | {image.tobytes() for image in test_images}
    assert len(everything) == 1797
    shares = np.bincount(test_labels) / np.bincount(np.concatenate([digits_store.labels, test_labels]))
    assert np.all(np.abs(shares - 0.15) < 0.02), "stratified"


def test_the_test_split_is_locked(digits_store, tmp_path):
    with pytest.raises(LockedSplitError, match="permit"):
        digits_store.open_test(tmp_path / "no-permit")


def test_rows_of_splits_are_disjoint_and_complete(digits_store):
    train, val = digits_store.rows("train"), digits_store.rows("val")
    assert not set(train) & set(val)
    assert sorted([*train, *val]) == digits_store.rows("trainval").tolist()


def test_statistics_are_the_training_splits(digits, digits_store):
    train = digits_store.images[digits_store.rows("train")] / 255
    assert digits.mean == pytest.approx([train.mean()])
    assert digits.std == pytest.approx([train.std()])


def test_a_single_root_is_split_into_three(colour_folder):
    data = prepare_data(str(colour_folder))
    assert data.classes == ("blue", "red")
    assert (data.channels, data.height, data.width) == (3, 20, 24)
    assert data.train + data.val + data.test == 80
    store = open_store(data)
    red = store.images[store.labels == 1].mean(axis=(0, 2, 3))
    assert red[0] > 150 > red[2], "channels in RGB order"


def test_val_without_test_becomes_the_locked_test(tmp_path):
    root = tmp_path / "set"
    for part, count in (("train", 30), ("val", 7)):
        for name, colour in (("a", (250, 0, 0)), ("b", (0, 0, 250))):
            write_images(root / part / name, count, (16, 16), colour, seed=count)
    data = prepare_data(str(root))
    assert data.test == 14
    assert data.train + data.val == 60
    assert "test = the source's val" in data.split


def test_identical_images_in_two_splits_are_counted(tmp_path):
    root = tmp_path / "leaky"
    for part in ("train", "test"):
        write_images(root / part / "a", 12, (16, 16), (250, 0, 0))
        write_images(root / part / "b", 12, (16, 16), (0, 0, 250), seed=part == "test")
    kept = prepare_data(str(root), options=DataOptions(keep_copies=True))
    assert kept.leaked >= 12
    with pytest.raises(UserError, match=r"class 'a' has no training image left, .*0\.png' in test; .* --keep-copies$"):
        prepare_data(str(root))


def test_a_changed_folder_is_another_store(colour_folder):
    before = prepare_data(str(colour_folder))
    write_images(colour_folder / "green", 20, (20, 24), (0, 200, 0))
    after = prepare_data(str(colour_folder))
    assert after.fingerprint != before.fingerprint
    assert after.classes == ("blue", "green", "red")


def test_parquet_in_the_hub_layout(tmp_path):
    labels = [0, 1] * 20
    write_parquet(tmp_path / "hub/data/train-00000-of-00001.parquet", range(40), labels, ["cat", "dog"])
    write_parquet(tmp_path / "hub/data/test-00000-of-00001.parquet", range(100, 110), labels[:10], ["cat", "dog"])
    data = prepare_data(str(tmp_path / "hub"))
    assert data.classes == ("cat", "dog")
    assert (data.test, data.train + data.val) == (10, 40)
    store = open_store(data)
    assert set(store.images[store.labels == 0][:, 0, 0, 0]) == set(range(0, 40, 2))


def test_an_unreadable_parquet_image_is_named(tmp_path):
    write_parquet(tmp_path / "hub/train.parquet", range(40), [0, 1] * 20)
    table = pq.read_table(tmp_path / "hub/train.parquet").to_pydict()
    table["image"][3]["bytes"] = b"no image"
    pq.write_table(pa.table(table), tmp_path / "hub/train.parquet")
    with pytest.raises(UserError, match=r"train\[3\]"):
        prepare_data(str(tmp_path / "hub"))


def test_grey_images_have_one_channel(tmp_path):
    for name, level in (("dark", 40), ("bright", 200)):
        (tmp_path / "grey" / name).mkdir(parents=True)
        for i in range(20):
            Image.fromarray(np.full((10, 10), level + i, np.uint8)).save(tmp_path / "grey" / name / f"{i}.png")
    assert prepare_data(str(tmp_path / "grey")).channels == 1


def test_mixed_sizes_become_one_square(tmp_path):
    write_images(tmp_path / "mixed" / "a", 20, (30, 50), (250, 0, 0))
    write_images(tmp_path / "mixed" / "b", 20, (64, 40), (0, 0, 250))
    data = prepare_data(str(tmp_path / "mixed"))
    assert data.height == data.width == 40


def bad_folder(root, kind):
    if kind == "empty":
        root.mkdir()
    elif kind == "one class":
        write_images(root / "a", 10, (8, 8), (1, 2, 3))
    elif kind == "different classes":
        write_images(root / "train" / "a", 10, (8, 8), (1, 2, 3))
        write_images(root / "train" / "b", 10, (8, 8), (1, 2, 3))
        write_images(root / "val" / "a", 10, (8, 8), (1, 2, 3))
        write_images(root / "val" / "c", 10, (8, 8), (1, 2, 3))
    elif kind == "unreadable":
        write_images(root / "a", 20, (8, 8), (1, 2, 3))
        write_images(root / "b", 20, (8, 8), (200, 2, 3))
        (root / "b" / "7.png").write_bytes(b"this is no picture")
    elif kind == "truncated":
        write_images(root / "a", 20, (64, 64), (1, 2, 3))
        write_images(root / "b", 20, (64, 64), (200, 2, 3))
        (root / "b" / "7.png").write_bytes((root / "b" / "7.png").read_bytes()[:2000])
    elif kind == "too few":
        write_images(root / "a", 2, (8, 8), (1, 2, 3))
        write_images(root / "b", 2, (8, 8), (200, 2, 3))
    elif kind == "empty class":
        write_images(root / "a", 20, (8, 8), (1, 2, 3))
        (root / "b").mkdir()
    return root


@pytest.mark.parametrize(
    ("kind", "parts"),
    [
        ("empty", ["no images"]),
        ("one class", ["only one class", "'a'"]),
        ("different classes", ["'c' has images (10 of val), but none of train"]),
        ("unreadable", ["7.png"]),
        ("truncated", ["7.png"]),
        ("too few", ["too few"]),
        ("empty class", ["holds no images"]),
    ],
)
def test_unusable_folders_are_named(tmp_path, kind, parts):
    root = bad_folder(tmp_path / "bad", kind)
    with pytest.raises(UserError) as error:
        prepare_data(str(root))
    assert all(part in str(error.value) for part in parts), error.value
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("origin", "part"), [("digit", "did you mean 'digits'"), ("/no/such/folder", "nor an existing")]
)
def test_unknown_data_is_named(origin, part):
    with pytest.raises(UserError, match=part):
        open_source(origin)


def test_splits_do_not_depend_on_anything_but_the_data(colour_folder):
    first, _ = make_splits(open_source(str(colour_folder)))
    second, _ = make_splits(open_source(str(colour_folder)))
    assert all(np.array_equal(first[split][1], second[split][1]) for split in first)


def test_fashion_mnist_is_read_from_debians_files(tmp_path, monkeypatch):
    from trainables.data.sources import fashion_mnist

    rng = np.random.default_rng(0)
    images = {"train": rng.integers(0, 256, (200, 28, 28)), "t10k": rng.integers(0, 256, (50, 28, 28))}
    for part, pixels in images.items():
        labels = np.arange(len(pixels)) % 10
        for kind, header, values in (("images-idx3", 16, pixels), ("labels-idx1", 8, labels)):
            with gzip.open(tmp_path / f"{part}-{kind}-ubyte.gz", "wb") as file:
                file.write(bytes(header) + values.astype(np.uint8).tobytes())
    monkeypatch.setattr(fashion_mnist, "DEBIAN_FOLDER", tmp_path)
    raw = fashion_mnist.open_fashion_mnist(tmp_path, DataOptions())
    assert raw.classes[9] == "Ankle boot"
    assert np.array_equal(raw.parts["train"].decode(7)[..., 0], images["train"][7])
    assert raw.parts["test"].labels.tolist() == [i % 10 for i in range(50)]


@pytest.mark.parametrize("name", ["cifar10", "fashion-mnist"])
def test_a_set_that_cannot_be_downloaded_says_so(name, tmp_path, monkeypatch):
    from urllib.error import URLError

    from trainables.data.sources import fashion_mnist

    def refuse(*_arguments, **_options):
        raise URLError("no network")

    monkeypatch.setattr(fashion_mnist, "DEBIAN_FOLDER", tmp_path / "none")
    monkeypatch.setattr("urllib.request.urlopen", refuse)
    with pytest.raises(UserError, match=f"{name}.*cannot be downloaded"):
        open_source(name)


def test_the_digests_of_a_store_of_an_earlier_version_are_those_of_today():
    """A store on disk outlives the names in this code: this is a record as version 4 has always written it."""
    digests = FileDigests(size=84, changed=1795860957731038775, digests="ec0003c4f800be34")
    record = FolderDigests(files={"bad-images.csv": digests, "a/b.npy": digests}).with_digest()
    old = (
        "[('a/b.npy', FileContent(size=84, changed=1795860957731038775, digests='ec0003c4f800be34')), "
        "('bad-images.csv', FileContent(size=84, changed=1795860957731038775, digests='ec0003c4f800be34'))]"
    )
    assert record.digest == hashlib.blake2b(old.encode(), digest_size=8).hexdigest()
    assert set(record.model_dump()) == {"files", "digest"}
    assert list(digests.model_dump()) == ["size", "changed", "digests"]
