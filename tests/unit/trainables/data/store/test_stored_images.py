"""Reading stored images of both layouts."""

import numpy as np
import pytest

from trainables.data.store.stored_images import IMAGES_FILE, SIZES_FILE, StoredImages


def write_flat(folder, images):
    np.save(folder / IMAGES_FILE, np.concatenate([image.reshape(-1) for image in images]))
    np.save(folder / SIZES_FILE, np.array([image.shape[1:] for image in images], np.int32))


def made(sizes, channels=3):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (channels, *size), dtype=np.uint8) for size in sizes]


@pytest.mark.parametrize("channels", [1, 3])
def test_images_of_any_size_are_read_without_a_copy(tmp_path, channels):
    images = made([(8, 9), (20, 3), (5, 5)], channels)
    write_flat(tmp_path, images)
    found = StoredImages.open(tmp_path, channels)
    assert len(found) == 3
    assert found.uniform is None
    assert found.sizes.tolist() == [[8, 9], [20, 3], [5, 5]]
    for row, image in enumerate(images):
        assert np.array_equal(found.image(row), image)
        assert np.shares_memory(found.image(row), found.pixels)


@pytest.mark.parametrize("flat", [True, False], ids=["flat", "array"])
def test_images_of_one_size_are_one_array(tmp_path, flat):
    images = made([(8, 9)] * 4)
    if flat:
        write_flat(tmp_path, images)
    else:
        np.save(tmp_path / IMAGES_FILE, np.stack(images))
    found = StoredImages.open(tmp_path, 3)
    assert found.sizes.dtype == np.int32
    assert found.sizes.tolist() == [[8, 9]] * 4
    assert found.uniform is not None
    assert np.array_equal(found.uniform, np.stack(images))
    assert np.shares_memory(found.uniform, found.pixels)
    assert found.uniform.filename == found.pixels.filename
    assert np.array_equal(found.image(2), images[2])


def test_sizes_of_other_images_are_refused(tmp_path):
    write_flat(tmp_path, made([(8, 9), (8, 9)]))
    np.save(tmp_path / SIZES_FILE, np.array([[8, 9]], np.int32))
    with pytest.raises(ValueError, match="432 bytes of pixels, for sizes of 216"):
        StoredImages.open(tmp_path, 3)
