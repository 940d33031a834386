"""Images that are given from Python, as single images: which axes of an array are which."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from searchspace.prediction.image_inputs import list_inputs
from trainables.common.errors import UserError

GREY, RGB = True, False


def shapes_of(images: object, grey: bool, channels: str | None = None) -> list[tuple[int, ...]]:
    return [np.shape(each.content) for each in list_inputs(images, grey, channels)]


@pytest.mark.parametrize(
    ("shape", "grey", "channels", "expected"),
    [
        ((9, 7), GREY, None, [(9, 7, 1)]),
        ((9, 7), RGB, None, [(9, 7, 1)]),
        ((9, 7, 3), RGB, None, [(9, 7, 3)]),
        ((9, 7, 3), GREY, None, [(9, 7, 3)]),
        ((3, 9, 7), RGB, None, [(9, 7, 3)]),
        ((3, 9, 7), GREY, "first", [(9, 7, 3)]),
        ((1, 9, 7), GREY, None, [(9, 7, 1)]),
        ((2, 9, 7), GREY, None, [(9, 7, 1)] * 2),
        ((2, 9, 7, 3), RGB, None, [(9, 7, 3)] * 2),
        ((2, 1, 9, 7), RGB, None, [(9, 7, 1)] * 2),
        ((2, 3, 3, 3), RGB, "last", [(3, 3, 3)] * 2),
    ],
)
def test_axes_are_told_by_shape_and_classifier(shape, grey, channels, expected):
    assert shapes_of(np.zeros(shape, np.uint8), grey, channels) == expected


@pytest.mark.parametrize(
    ("shape", "grey", "channels"),
    [((3, 9, 7), GREY, None), ((2, 9, 7), RGB, None), ((3, 9, 3), RGB, None), ((2, 3, 3, 1), RGB, None),
     ((2, 9, 7, 4), RGB, None), ((9, 7, 4), RGB, None), ((2, 9, 7, 3), RGB, "first"), ((7,), GREY, None)],
)  # fmt: skip
def test_axes_that_are_not_sure_are_refused(shape, grey, channels):
    with pytest.raises(UserError, match="images: "):
        list_inputs(np.zeros(shape, np.uint8), grey, channels)


@given(st.integers(1, 4), st.sampled_from([1, 3]), st.tuples(st.integers(4, 6), st.integers(4, 6)), st.booleans())
def test_pixels_stay_where_they_are(count, channels, sides, first):
    images = np.random.default_rng(0).integers(0, 256, (count, *sides, channels), np.uint8)
    given_images = images.transpose(0, 3, 1, 2) if first else images
    for inputs in (list_inputs(given_images, channels == 1, None), list_inputs(list(given_images), RGB, None)):
        assert len(inputs) == count
        for expected, found in zip(images, inputs, strict=True):
            np.testing.assert_array_equal(found.content, expected)


def test_a_list_may_mix_paths_pictures_and_arrays(tmp_path):
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    found = list_inputs([tmp_path / "a.png", Image.new("L", (4, 4)), np.zeros((5, 4), np.uint8), tmp_path], RGB, None)
    assert [each.name for each in found] == [str(tmp_path / "a.png"), "image 1", "image 2", str(tmp_path / "a.png")]


def test_a_column_of_paths_is_a_list(tmp_path):
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    paths = [str(tmp_path / "a.png")] * 2
    for column in (pd.Series(paths), np.array(paths), pd.Series(paths, dtype=object)):
        assert [each.name for each in list_inputs(column, RGB, None)] == paths
