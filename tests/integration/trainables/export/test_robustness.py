"""Corrupted images: worse with every strength, the same each time; and what a real classifier makes of them."""

import json

import numpy as np
import pytest
from PIL import Image

from trainables.augmentation.corruptions import (
    BENCHMARK_SIDES,
    CORRUPTIONS,
    MAX_STRENGTH,
    corrupt,
    corruption_parameter,
)
from trainables.common.errors import DamagedError
from trainables.export.robustness import (
    MAX_CORRUPTED_IMAGES,
    MIN_CORRUPTED_IMAGES,
    ROBUSTNESS,
    Robustness,
    choose_count,
    read_robustness,
    write_robustness,
)

SHAPES = [
    (6, 1, 8, 8),
    (6, 3, 8, 8),
    (4, 1, 28, 28),
    (4, 3, 32, 32),
    (3, 3, 48, 64),
    (2, 3, 224, 224),
    (2, 1, 256, 256),
]


def pictures(shape: tuple[int, ...]) -> np.ndarray:
    """Something with edges, gradients and neither black nor white everywhere, as photographs have it."""
    count, channels, height, width = shape
    down, across = np.mgrid[0:height, 0:width]
    phase = np.arange(count * channels).reshape(count, channels, 1, 1)
    waves = np.sin(down * 9.0 / height + phase) * np.cos(across * 7.0 / width + 2 * phase)
    edges = (down > height // 2) ^ (across > width // 3)
    return (60 + 50 * waves + 70 * edges).clip(0, 255).astype(np.uint8)


def distance(images: np.ndarray, others: np.ndarray) -> float:
    return float(np.abs(images.astype(float) - others).mean())


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_every_strength_changes_images_more_than_the_one_before(name, shape):
    images = pictures(shape)
    before = images.copy()
    worse = [corrupt(name, images, strength, np.random.default_rng(0)) for strength in range(1, MAX_STRENGTH + 1)]
    assert [(found.dtype, found.shape) for found in worse] == [(np.uint8, shape)] * MAX_STRENGTH
    changes = [distance(images, found) for found in worse]
    assert changes == sorted(changes)
    assert 0 < changes[0] < changes[-1]
    assert np.array_equal(images, before), "the images themselves stay"


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_same_seed_gives_the_same_images(name):
    images = pictures((3, 3, 32, 32))
    first, again = (corrupt(name, images, 3, np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(first, again)
    other = corrupt(name, images, 3, np.random.default_rng(8))
    assert np.array_equal(first, other) == (name != "noise"), "only noise is drawn"


def test_strengths_are_those_of_the_benchmark_of_the_nearest_size():
    assert [corruption_parameter("jpeg", side, 5) for side in (8, 28, 32, 48, 64, 96, 128, 224, 256)] == [
        40, 40, 40, 25, 25, 25, 7, 7, 7,
    ]  # fmt: skip
    for corruption in CORRUPTIONS.values():
        assert [len(strengths) for strengths in corruption.parameters] == [MAX_STRENGTH] * len(BENCHMARK_SIDES)


def test_brightness_keeps_hue_and_lightens_black():
    colour = np.array([100, 50, 25], np.uint8).reshape(1, 3, 1, 1).repeat(32, 2).repeat(32, 3)
    bright = corrupt("brightness", colour, 5, np.random.default_rng(0))[0, :, 0, 0].astype(float)
    assert bright[0] == pytest.approx(100 + 0.3 * 255, abs=1)
    assert bright / bright[0] == pytest.approx([1, 0.5, 0.25], abs=0.01)
    assert corrupt("brightness", np.zeros_like(colour), 1, np.random.default_rng(0)).max() == round(0.05 * 255)


def test_jpeg_is_what_pillow_writes(tmp_path):
    image = pictures((1, 3, 32, 32))
    Image.fromarray(np.moveaxis(image[0], 0, -1)).save(tmp_path / "image.jpg", quality=58)
    expected = np.moveaxis(np.asarray(Image.open(tmp_path / "image.jpg")), -1, 0)
    assert np.array_equal(corrupt("jpeg", image, 3, np.random.default_rng(0))[0], expected)


def test_large_images_and_slow_files_are_measured_on_fewer():
    def shown(count: int, side: int, rate: float) -> int:
        return choose_count(np.broadcast_to(np.uint8(0), (count, 3, side, side)), rate)

    assert shown(10_000, 32, 1e6) == MAX_CORRUPTED_IMAGES
    assert shown(10_000, 32, 1.0) == shown(10_000, 512, 1e6) == MIN_CORRUPTED_IMAGES
    assert shown(90, 256, 1.0) == 90
    assert MIN_CORRUPTED_IMAGES < shown(10_000, 32, 200.0) < MAX_CORRUPTED_IMAGES


def test_a_trained_classifier_loses_accuracy_with_strength(shipped):
    folder, shipment = shipped
    found = read_robustness(folder)
    assert found is not None
    assert found.format == shipment.recommended
    assert found.count == 270
    assert found.clean == pytest.approx(shipment.find(found.format).proof.accuracy)
    assert list(found.by_corruption()) == list(CORRUPTIONS)
    for name, entries in found.by_corruption().items():
        assert [entry.strength for entry in entries] == [1, 3, 5]
        assert [entry.parameter for entry in entries] == [
            corruption_parameter(name, 8, strength) for strength in (1, 3, 5)
        ]
        assert entries[-1].accuracy <= entries[0].accuracy + 0.01, name
    blurred = [entry.accuracy for entry in found.by_corruption()["blur"]]
    assert found.clean + 0.01 > blurred[0] > blurred[1] > blurred[2]
    assert found.worst.accuracy == min(entry.accuracy for entry in found.corrupted)
    assert found.worst.accuracy < found.mean < found.clean


def test_the_record_is_read_as_it_was_written(shipped, tmp_path):
    found = read_robustness(shipped[0])
    write_robustness(tmp_path, found)
    assert read_robustness(tmp_path) == found
    assert Robustness.model_validate(json.loads((tmp_path / ROBUSTNESS).read_text())) == found
    assert read_robustness(tmp_path / "nowhere") is None
    (tmp_path / ROBUSTNESS).write_text("{}")
    with pytest.raises(DamagedError, match=r"robustness\.json"):
        read_robustness(tmp_path)
