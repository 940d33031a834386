"""The resizing in an exported file gives what the store and Pillow give."""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from trainables.data.decoding.stored_size import stored_size
from trainables.data.loading.square_fit import FIT_KINDS, SquareFit, fit_image
from trainables.export.formats.resize import StoredResize, fit_squares, stored_lengths
from trainables.export.formats.resizing_graph import _squares_model, _stored_model

FILL = (10, 20, 30)
SIZES = [(24, 24), (24, 31), (48, 25), (100, 30), (9, 8), (7, 200)]


def photo(height: int, width: int, channels: int = 3) -> np.ndarray:
    """Smooth colours with some edges and some noise."""
    rng = np.random.default_rng([height, width])
    small = rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)
    picture = np.array(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)).transpose(2, 0, 1)
    picture[:, height // 3 :, : width // 2] //= 2
    picture[:, :3] = rng.integers(0, 256, (3, 3, width))[:, :height]
    return np.ascontiguousarray(picture[:channels])


def run(model, **inputs):
    import onnxruntime

    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, inputs)


@given(st.integers(1, 20_000), st.integers(1, 20_000), st.sampled_from([8, 28, 32, 224, 256, 512]))
def test_stored_lengths_are_those_of_the_store(height, width, side):
    assert tuple(map(int, stored_lengths(height, width, side))) == stored_size(height, width, side)


@pytest.mark.parametrize(("kind", "crop"), [*product(FIT_KINDS, [1.0]), ("crop", 0.875)])
@pytest.mark.parametrize("side", [8, 24, 40])
def test_squares_are_pillows(kind, crop, side):
    fit, away = SquareFit(kind, side, crop, FILL), []
    for size in SIZES:
        image, expected = photo(*size), np.empty((3, side, side), np.uint8)
        fit_image(image, fit, expected)
        found = fit_squares(torch.from_numpy(image)[None], fit)[0].numpy()
        away.append(np.abs(found.astype(int) - expected).ravel())
    assert np.concatenate(away).max() <= 1, "only a rounding may fall to the other side"
    assert np.concatenate(away).mean() < 1e-3


def test_the_graph_of_squares_does_the_same_and_leaves_squares_alone():
    fits = tuple(SquareFit(kind, side, fill=FILL) for kind, side in zip(FIT_KINDS, (24, 16, 24), strict=True))
    model = _squares_model(3, fits, ("a", "b", "c"))
    for size in SIZES:
        image = photo(*size)[None]
        for fit, found in zip(fits, run(model, stored=image), strict=True):
            assert np.abs(found.astype(int) - fit_squares(torch.from_numpy(image), fit).numpy()).max() <= 1
    square = photo(24, 24)[None]
    first, _, last = run(model, stored=square)
    assert np.array_equal(first, square)
    assert np.array_equal(last, square)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_graph_of_stored_images_has_their_sizes(channels):
    model = _stored_model(channels, 24)
    for size in SIZES:
        image = photo(*size)[None]
        (found,) = run(model, images=image)
        expected = StoredResize(channels, 24)(torch.from_numpy(image)).numpy()
        assert found.shape[1:] == (channels, *stored_size(*size, 24))
        assert np.abs(found.astype(int) - expected).max() <= 1


def test_a_stored_image_is_not_resized_again():
    model = _stored_model(3, 24)
    for size in ((24, 31), (96, 24), (24, 24), (9, 8), (1, 96)):
        (found,) = run(model, images=photo(*size)[None])
        assert np.array_equal(found[0], photo(*size))


def test_many_images_of_one_size_are_resized_at_once():
    images = np.stack([photo(60, 80), photo(60, 80)[:, ::-1]])
    (found,) = run(_stored_model(3, 24), images=images)
    alone = [run(_stored_model(3, 24), images=image[None])[0][0] for image in images]
    assert np.array_equal(found, np.stack(alone))
