"""Fitting inside the exported graph gives what the data store would have stored."""

import numpy as np
import pytest
import torch
from PIL import Image

from trainables.data.decoding.decode import _fit
from trainables.data.loading.square_fit import FIT_KINDS, SquareFit, fit_image
from trainables.export.formats.resize import Resize, fit_squares

SHAPES = [(32, 32), (31, 33), (100, 57), (20, 300), (300, 20), (480, 640), (64, 48), (1, 9), (8, 9)]


def photo(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth colours with some edges, as photographs have."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)
    picture = np.array(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))
    picture[height // 3 :, : width // 2] //= 2
    return picture


def stored(picture: np.ndarray, mode: str) -> np.ndarray:
    fitted = np.asarray(_fit(Image.fromarray(picture).convert(mode), 32, 32))
    return fitted.reshape(32, 32, -1).transpose(2, 0, 1)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_it_fits_as_the_store_does(shape, mode):
    picture = photo(*shape)
    fit = Resize(len(mode.replace("L", "x")), 32, 32)
    found = fit(torch.from_numpy(picture.transpose(2, 0, 1)[None].copy()))[0].numpy()
    away = np.abs(found.astype(int) - stored(picture, mode))
    assert away.max() <= 2, "Pillow rounds twice too, but picks the order of its passes by itself"
    assert away.mean() < 0.2


@pytest.mark.parametrize("kind", FIT_KINDS)
@pytest.mark.parametrize("shape", [(31, 33), (130, 193), (471, 256), (300, 21), (480, 640)])
def test_squares_are_those_of_training_to_the_pixel(kind, shape):
    picture = np.random.default_rng(0).integers(0, 256, (3, *shape), dtype=np.uint8)
    fit = SquareFit(kind, 64, 0.875, (7, 8, 9) if kind == "pad" else ())
    expected = np.empty((3, 64, 64), np.uint8)
    fit_image(picture, fit, expected)
    assert np.array_equal(fit_squares(torch.from_numpy(picture[None]), fit)[0].numpy(), expected)


def test_what_has_the_shape_stays_as_it_is():
    images = torch.from_numpy(np.stack([photo(32, 32, seed).transpose(2, 0, 1) for seed in range(3)]))
    assert torch.equal(Resize(3, 32, 32)(images), images)
    assert torch.equal(Resize(1, 32, 32)(images[:, :1]), images[:, :1])


def test_grey_is_repeated():
    grey = torch.from_numpy(photo(40, 50)[None, None, :, :, 0].copy())
    found = Resize(3, 32, 32)(grey)
    assert found.shape == (1, 3, 32, 32)
    assert torch.equal(found[:, 0], found[:, 2])
