"""Stores of images of different sizes, which are kept whole."""

import errno
import shutil

import numpy as np
import pytest
from PIL import Image

from tests.helpers.images.data_sets import write_images, write_parquet
from trainables.common.errors import UserError
from trainables.data.data_options import DataOptions
from trainables.data.decoding.stored_size import stored_size
from trainables.data.store.building import build
from trainables.data.store.building.whole_chunks import WholePixels
from trainables.data.store.store import open_store, prepare_data
from trainables.data.store.store_arrays import compute_fingerprint, remove_rows
from trainables.data.store.stored_images import StoredImages

SIZES = {"wide": (30, 90), "tall": (80, 20), "small": (5, 3), "large": (64, 70)}


@pytest.fixture
def photos(tmp_path):
    """A class for each size."""
    for number, (name, size) in enumerate(SIZES.items()):
        write_images(tmp_path / "photos" / name, 20, size, (40 * number, 90, 200 - 40 * number))
    return tmp_path / "photos"


def whole(side: int = 0, **options) -> DataOptions:
    return DataOptions(keep_aspect=True, store_side=side, **options)


@pytest.mark.parametrize("side", [0, 32])
def test_the_whole_picture_is_stored(photos, side, tmp_path):
    data = prepare_data(str(photos), options=whole(side))
    assert data.aspect_kept
    assert (data.height, data.width) == ((64, 64) if side == 0 else (32, 32))
    store, (test, test_labels) = open_store(data), open_store(data).open_test_stored(permit(tmp_path))
    assert (len(store.stored), len(test)) == (data.train + data.val, data.test)
    stored = [
        (data.classes[label], images.image(row))
        for images, labels in ((store.stored, store.labels), (test, test_labels))
        for row, label in enumerate(labels)
    ]
    for name, size in SIZES.items():
        height, width = stored_size(*size, side or 256)
        files = {np.asarray(Image.open(file).resize((width, height), Image.Resampling.BICUBIC)).tobytes()
                 for file in (photos / name).iterdir()}  # fmt: skip
        found = {image.transpose(1, 2, 0).tobytes() for label, image in stored if label == name}
        assert found == files
    assert compute_fingerprint(store.path, data.classes) == data.fingerprint


def permit(folder):
    (folder / "permit").touch()
    return folder / "permit"


def test_statistics_are_of_all_training_pixels(photos):
    data = prepare_data(str(photos), options=whole())
    store = open_store(data)
    pixels = np.concatenate([store.stored.image(row).reshape(3, -1) for row in store.rows("train").tolist()], axis=1)
    assert data.mean == pytest.approx((pixels / 255).mean(axis=1))
    assert data.std == pytest.approx((pixels / 255).std(axis=1))


def test_images_of_one_size_have_the_same_store_as_ever(colour_folder):
    square = prepare_data(str(colour_folder))
    assert prepare_data(str(colour_folder), options=whole()).path == square.path
    assert prepare_data(str(colour_folder), options=whole(512)).path == square.path
    assert not square.aspect_kept


def test_the_ways_of_storing_have_stores_of_their_own(photos):
    stores = [
        prepare_data(str(photos), options=options)
        for options in (DataOptions(), DataOptions(store_side=16), whole(), whole(16), whole(24))
    ]
    assert len({data.path for data in stores}) == len({data.fingerprint for data in stores}) == 5
    assert [data.aspect_kept for data in stores] == [False, False, True, True, True]
    assert prepare_data(str(photos), options=stores[3].options_to_repeat) == stores[3]


def test_bad_images_are_left_out_of_whole_ones(photos, tmp_path):
    for name in ("wide", "large"):
        file = photos / name / "7.png"
        file.write_bytes(file.read_bytes()[:2000])
    data = prepare_data(str(photos), options=whole(on_bad_image="skip"))
    assert data.skipped == 2
    assert data.train + data.val + data.test == 78
    store = open_store(data)
    assert min(store.stored.sizes.min(axis=0).tolist()) > 0
    for row, label in enumerate(store.labels.tolist()):
        assert store.stored.image(row).shape[1:] == stored_size(*SIZES[data.classes[label]], 256)
    assert compute_fingerprint(store.path, data.classes) == data.fingerprint


@pytest.mark.parametrize("rows", [[0], [1, 2], [4], [0, 2, 4], []], ids=str)
def test_rows_are_removed_with_their_pixels(tmp_path, rows):
    sizes = np.array([(2, 3), (1, 5), (4, 4), (3, 1), (6, 2)], np.int32)
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (3, *size), dtype=np.uint8) for size in sizes]
    np.save(tmp_path / "images.npy", np.concatenate([image.reshape(-1) for image in images]))
    np.save(tmp_path / "sizes.npy", sizes)
    np.save(tmp_path / "labels.npy", np.arange(5))
    remove_rows(tmp_path, rows)
    left, kept = StoredImages.open(tmp_path, 3), [row for row in range(5) if row not in rows]
    assert np.load(tmp_path / "labels.npy").tolist() == kept
    assert len(left) == len(kept)
    for place, row in enumerate(kept):
        assert np.array_equal(left.image(place), images[row])


def photos_in(kind, root):
    """Images of 12 x 12 pixels in class folders, in a table, or in parquet files."""
    if kind == "parquet":
        write_parquet(root / "hub" / "train.parquet", range(40), [0, 1] * 20)
        return root / "hub"
    for name in ("cat", "dog"):
        write_images(root / "set" / name, 20, (12, 12), (200, 60, len(name)), seed=name == "dog")
    if kind == "table":
        rows = [f"{file.relative_to(root)},{file.parent.name}" for file in sorted(root.rglob("*.png"))]
        (root / "labels.csv").write_text("\n".join(["image,label", *rows]) + "\n")
        return root / "labels.csv"
    return root / "set"


@pytest.mark.parametrize("kind", ["folder", "table", "parquet"])
def test_max_pixels_counts_in_every_layout(tmp_path, kind):
    origin = str(photos_in(kind, tmp_path))
    assert prepare_data(origin, options=DataOptions(max_pixels=144)).train > 0
    with pytest.raises(UserError) as error:
        prepare_data(origin, options=DataOptions(max_pixels=143))
    assert "\n" not in str(error.value)
    assert "--max-pixels 144 allows" in str(error.value)


def test_a_disk_that_fills_up_is_told_and_the_build_goes_on_later(photos, monkeypatch, tmp_path):
    append, times = WholePixels.append, []

    def fill(self, chunk):
        times.append(chunk)
        if len(times) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        append(self, chunk)

    monkeypatch.setattr(build, "CHUNK_IMAGES", 10)
    monkeypatch.setattr(WholePixels, "append", fill)
    with pytest.raises(UserError, match=r"cache '.*': cannot be written \(No space left on device\)"):
        prepare_data(str(photos), options=whole())
    monkeypatch.setattr(WholePixels, "append", append)
    data = prepare_data(str(photos), options=whole())
    assert compute_fingerprint(open_store(data).path, data.classes) == data.fingerprint


def test_a_disk_without_room_for_whole_images_is_refused(photos, monkeypatch):
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=1000))
    with pytest.raises(UserError, match=r"has 1,000 bytes free, 'photos' needs 530,400"):
        prepare_data(str(photos), options=whole())
