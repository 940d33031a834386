"""Near copies: found where a picture was changed, not where pictures are merely alike."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageOps

from tests.helpers.images.photographs import CHANGES, as_stored, photograph
from trainables.data.copies.near_copies import MAX_DISTANCE, are_too_alike, find_candidates, verify
from trainables.data.copies.perceptual_hash import NO_HASH, hash_reduced, reduce_image

PHOTOGRAPHS = [photograph(seed) for seed in range(60)]
STORED = [as_stored(picture) for picture in PHOTOGRAPHS]


def hash_all(images: list[np.ndarray]) -> np.ndarray:
    return hash_reduced([reduce_image(image) for image in images])


def near_pairs(first: list[np.ndarray], second: list[np.ndarray]) -> set[tuple[int, int]]:
    """Places in `first` and in `second` of near copies."""
    pairs = find_candidates(hash_all(first), hash_all(second)) + np.array([0, len(first), 0])
    return {(a, b - len(first)) for a, b, _ in verify(pairs, [*first, *second].__getitem__).tolist()}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("side", [32, 96, 150])
def test_a_changed_picture_is_a_near_copy_of_itself_alone(change, side):
    changed = [as_stored(CHANGES[change](picture), side) for picture in PHOTOGRAPHS]
    found = near_pairs(changed, [as_stored(picture, side) for picture in PHOTOGRAPHS])
    assert len({pair for pair in found if pair[0] == pair[1]}) >= 0.9 * len(PHOTOGRAPHS)
    assert all(first == second for first, second in found)


@pytest.mark.parametrize("change", [ImageOps.mirror, lambda picture: picture.rotate(90)], ids=["mirror", "turn"])
def test_mirrored_and_turned_pictures_are_others(change):
    assert not near_pairs([as_stored(change(picture)) for picture in PHOTOGRAPHS], STORED)


def test_images_without_structure_have_no_hash():
    noise = np.random.default_rng(0).integers(-4, 5, (3, 64, 64))
    plain = [np.full((3, 64, 64), level, np.uint8) for level in (0, 90, 255)] + [(120 + noise).astype(np.uint8)]
    assert (hash_all(plain) == NO_HASH).all()
    assert (hash_all([image[:, :20, :20] for image in STORED]) == NO_HASH).all(), "too small"
    assert (hash_all([np.zeros((3, 0, 0), np.uint8)]) == NO_HASH).all()
    hashes = hash_all(STORED)
    assert set(np.bitwise_count(hashes).tolist()) == {32}
    assert not near_pairs(plain, plain)


EXPECTED = ["5f5f5646246bd890", "1113bdac7ec59c0e"]


def test_the_hash_of_a_picture_stays_what_it_is():
    assert [f"{number:016x}" for number in hash_all(STORED[:2]).tolist()] == EXPECTED


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 300), st.integers(1, 300))
def test_candidates_are_all_pairs_within_the_distance(seed, count, known):
    rng = np.random.default_rng(seed)
    second = rng.integers(1, 2**63, known, dtype=np.uint64)
    flips = [sum(1 << int(bit) for bit in rng.choice(63, rng.integers(0, 14), replace=False)) for _ in range(count)]
    first = second[rng.integers(0, known, count)] ^ np.array(flips, np.uint64)
    first[: count // 10], second[: known // 10] = NO_HASH, NO_HASH
    apart = np.bitwise_count(first[:, None] ^ second[None]).astype(int)
    usable = (first[:, None] != NO_HASH) & (second[None] != NO_HASH)
    expected = np.argwhere((apart <= MAX_DISTANCE) & usable)
    found = find_candidates(first, second)
    assert found[:, :2].tolist() == expected.tolist()
    assert found[:, 2].tolist() == apart[tuple(expected.T)].tolist()


def one_scene(seed: int) -> Image.Image:
    """A part before a camera that stands still, with a scratch somewhere."""
    picture, rng = PHOTOGRAPHS[0].copy(), np.random.default_rng(seed)
    at = rng.integers(0, 80, 2)
    ImageDraw.Draw(picture).line([*at, *(at + rng.integers(4, 16, 2))], (250, 250, 250), 2)
    return picture


def one_disc(seed: int) -> Image.Image:
    picture, rng = Image.new("RGB", (96, 96), (240, 240, 240)), np.random.default_rng(seed)
    (left, top), size = rng.integers(5, 50, 2), int(rng.integers(20, 40))
    ImageDraw.Draw(picture).ellipse((left, top, left + size, top + size), tuple(rng.integers(0, 160, 3).tolist()))
    return picture


@pytest.mark.parametrize(
    ("make", "alike"), [(photograph, False), (one_scene, True), (one_disc, True)], ids=["photographs", "scene", "discs"]
)
def test_sets_of_one_scene_or_thing_are_too_alike(make, alike):
    hashes = hash_all([as_stored(make(seed)) for seed in range(100, 300)])
    assert are_too_alike(hashes[:50], hashes[50:], seed=0) == alike


def test_copies_alone_make_no_set_too_alike():
    hashes = hash_all(STORED)
    copies = hash_all([as_stored(CHANGES["re-encoded"](picture)) for picture in PHOTOGRAPHS])
    assert not are_too_alike(copies, hashes, seed=0)
