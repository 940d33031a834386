"""The size at which images are stored whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainables.data.decoding.stored_size import MAX_ASPECT, MIN_SIDE, common_shape, stored_size


@pytest.mark.parametrize(
    ("size", "side", "stored"),
    [
        ((375, 500), 256, (256, 341)),
        ((500, 375), 256, (341, 256)),
        ((32, 32), 256, (32, 32)),
        ((40, 30), 256, (40, 30)),
        ((3, 2), 256, (9, 6)),
        ((1, 1), 32, (8, 8)),
        ((1, 100_000), 256, (1, 1024)),
        ((300, 3000), 256, (102, 1024)),
        ((3, 1024), 256, (3, 1024)),
        ((512, 513), 256, (256, 257)),
    ],
    ids=str,
)
def test_examples(size, side, stored):
    assert stored_size(*size, side) == stored


@given(st.integers(1, 100_000), st.integers(1, 100_000), st.integers(MIN_SIDE, 4096))
def test_the_size_is_bounded_and_keeps_the_aspect(height, width, side):
    found = stored_size(height, width, side)
    assert stored_size(width, height, side) == found[::-1]
    short, long = sorted(found)
    assert 1 <= short <= side
    assert MIN_SIDE <= long <= MAX_ASPECT * side
    assert stored_size(*found, side) == found, "a stored image is stored as it is"
    scale = long / max(height, width)
    assert abs(short - min(height, width) * scale) <= 1 + scale


@pytest.mark.parametrize(
    ("sizes", "stored"),
    [({(1, 1)}, (8, 8)), ({(3, 5)}, (6, 10)), ({(1, 100)}, (1, 100)), ({(1, 1), (2, 9)}, (8, 8)), ({(8, 8)}, (8, 8))],
)
def test_small_images_are_stored_large_enough_for_networks(sizes, stored):
    assert common_shape(sizes) == stored
