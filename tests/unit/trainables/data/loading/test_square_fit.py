"""Images become squares as their fit says, by Pillow."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainables.data.loading.square_fit import FIT_KINDS, SquareFit, fit_image

FILL = (10, 20, 30)


def squared(image: np.ndarray, fit: SquareFit, placement=None) -> np.ndarray:
    out = np.zeros((len(image), fit.side, fit.side), np.uint8)
    fit_image(image, fit, out, placement)
    return out


def bars(height: int, width: int) -> np.ndarray:
    """A dark image whose left and right quarters are light."""
    image = np.zeros((3, height, width), np.uint8)
    image[..., : width // 4] = image[..., -(width // 4) :] = 200
    return image


@pytest.mark.parametrize("kind", FIT_KINDS)
def test_a_square_of_that_side_stays_as_it_is(kind):
    image = np.random.default_rng(0).integers(0, 256, (3, 24, 24), dtype=np.uint8)
    assert np.array_equal(squared(image, SquareFit(kind, 24, 0.875, FILL)), image)


def test_a_crop_loses_the_edges_and_nothing_else_does():
    image = bars(32, 64)
    assert squared(image, SquareFit("crop", 32)).max() == 0
    assert (squared(image, SquareFit("stretch", 32))[:, :, :7] > 190).all()
    padded = squared(image, SquareFit("pad", 32, fill=FILL))
    assert (padded[:, :8] == np.array(FILL)[:, None, None]).all()
    assert (padded[:, -8:] == np.array(FILL)[:, None, None]).all()
    assert (padded[:, 8:-8, :7] > 190).all()
    assert (padded[:, 8:-8, 10:-10] < 10).all()


def test_the_crops_share_applies_only_where_enough_pixels_are_left():
    assert SquareFit("crop", 224, 0.875).locate(256, 300).box == (16, 38, 224, 224)
    assert SquareFit("crop", 225, 0.875).locate(256, 300).box == (0, 22, 256, 256)


@given(
    st.sampled_from(FIT_KINDS), st.integers(1, 1024), st.integers(1, 1024), st.sampled_from([8, 32, 224]),
    st.sampled_from([1.0, 0.95, 0.875]),
)  # fmt: skip
def test_every_placement_lies_within_image_and_square(kind, height, width, side, crop):
    found = SquareFit(kind, side, crop, FILL).locate(height, width)
    top, left, high, wide = found.box
    assert min(top, left) >= 0
    assert high >= 1
    assert wide >= 1
    assert top + high <= height
    assert left + wide <= width
    at_top, at_left, out_height, out_width = found.target
    assert min(at_top, at_left) >= 0
    assert max(at_top + out_height, at_left + out_width) <= side
    assert max(out_height, out_width) == side


@given(
    st.sampled_from(FIT_KINDS), st.integers(8, 600), st.integers(8, 600), st.floats(0.05, 1.0),
    st.lists(st.floats(0, 0.999), min_size=4, max_size=4),
)  # fmt: skip
def test_a_random_part_lies_within_the_image(kind, height, width, share, draws):
    found = SquareFit(kind, 32, fill=FILL).locate_part(height, width, share, draws)
    top, left, high, wide = found.box
    assert min(top, left) >= 0
    assert top + high <= height + 1e-6
    assert left + wide <= width + 1e-6
    assert high * wide <= height * width * (1 + 1e-9)
    if kind == "pad":
        assert max(found.target[2:]) == 32
    elif kind == "stretch":
        assert high * wide >= min(share, 0.7) * height * width * 0.99 or min(high, wide) == 1


def test_parts_of_a_crop_have_an_aspect_from_three_to_four_to_four_to_three():
    rng = np.random.default_rng(0)
    boxes = [SquareFit("crop", 32).locate_part(300, 400, 0.2, rng.random(4)).box for _ in range(400)]
    aspects = np.array([wide / high for _, _, high, wide in boxes])
    shares = np.array([wide * high / (300 * 400) for _, _, high, wide in boxes])
    assert aspects.min() > 0.74
    assert aspects.max() < 1.34
    assert shares.min() < 0.25
    assert shares.max() > 0.8


def test_a_random_part_shows_what_lies_there():
    image = np.zeros((1, 40, 40), np.uint8)
    image[:, 20:] = 255
    fit = SquareFit("stretch", 8)
    upper, lower = (fit.locate_part(40, 40, 0.25, (0.0, 0.5, at, 0.5)) for at in (0.0, 0.999))
    assert squared(image, fit, upper).mean() < 10
    assert squared(image, fit, lower).mean() > 245
