"""Near copies of images: pairs whose hashes differ in few bits, and whose details agree.

Candidates are found by multi-index hashing (Norouzi, Punjani, Fleet, CVPR 2012): hashes within 10 bits differ by 2 bits
at most in one of 4 bands. The limits were chosen on CIFAR-10, some 3 % of whose test images have near copies in train
(Barz, Denzler, "Do we train on test data?", 2020), and on photographs that were re-encoded, resized, cropped, turned or
brightened.
"""

from collections.abc import Callable, Iterator
from functools import cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from trainables.data.copies.perceptual_hash import NO_HASH, REDUCED_SIDE, Hashes, reduce_image

Pairs = NDArray[np.int64]
"""Numbers of a held-out and of an earlier image, and the bits in which their hashes differ, n x 3."""
MAX_DISTANCE = 10
"""Bits in which the hashes of near copies differ, at most."""
MIN_AGREEMENT = 0.6
"""Correlation of the details of near copies, at least."""
DETAIL_SIGMA = 2.0
"""Standard deviation of the blur, in pixels of the reduced image, that takes away what is no detail."""
ALIKE_DISTANCE, ALIKE_SHARE = 16, 0.002
"""Images are too alike where more than this share of pairs differs in so few bits: 0.0002 in sets of photographs, 0.004
in drawn discs, 0.009 in Fashion-MNIST, 0.4 in pictures of one scene."""
SAME_SCENE_SHARE = 0.2
"""Likewise where more than this share of pairs would be near copies: a copy has few others."""
SAMPLED_PAIRS = 200_000
"""Pairs by which that is judged, at most."""
BANDS, BAND_BITS, BAND_DISTANCE = 4, 16, 2
COMPARED_AT_ONCE = 1 << 22
"""Hashes that are compared at a time."""
VERIFIED_AT_ONCE = 256
"""Pairs whose pixels are in memory at a time."""


def are_too_alike(held_out: Hashes, earlier: Hashes, seed: int) -> bool:
    """Whether unrelated images have similar hashes, as those of one kind of thing in one pose have."""
    first, second = held_out[held_out != NO_HASH], earlier[earlier != NO_HASH]
    every = len(first) * len(second)
    if not every:
        return False
    sampled = every > SAMPLED_PAIRS
    chosen = np.random.default_rng(seed).integers(0, every, SAMPLED_PAIRS) if sampled else np.arange(every)
    apart = np.bitwise_count(first[chosen // len(second)] ^ second[chosen % len(second)])
    similar = ((apart > MAX_DISTANCE) & (apart <= ALIKE_DISTANCE)).mean()
    return bool(similar > ALIKE_SHARE or (apart <= MAX_DISTANCE).mean() > SAME_SCENE_SHARE)


def find_candidates(held_out: Hashes, earlier: Hashes) -> Pairs:
    """All pairs of hashes that differ in at most `MAX_DISTANCE` bits; images without a hash are in none."""
    wanted, known = np.flatnonzero(held_out != NO_HASH), np.flatnonzero(earlier != NO_HASH)
    found = [np.zeros((0, 3), np.int64)]
    for band in range(BANDS):
        keys = _band(earlier[known], band)
        order = known[np.argsort(keys, kind="stable")]
        starts = np.searchsorted(np.sort(keys), np.arange((1 << BAND_BITS) + 1))
        mine = _band(held_out[wanted], band)
        for flips in _flips():
            keys = mine ^ flips
            for rows, place in _expand(starts[keys], starts[keys + 1]):
                first, second = wanted[rows], order[place]
                apart = np.bitwise_count(held_out[first] ^ earlier[second]).astype(np.int64)
                near = apart <= MAX_DISTANCE
                found.append(np.stack([first[near], second[near], apart[near]], axis=1))
    return np.unique(np.concatenate(found), axis=0)


def verify(candidates: Pairs, image_at: Callable[[int], NDArray[np.uint8]]) -> Pairs:
    """The pairs whose details agree; `image_at` gives the images by number, channels x height x width."""
    kept = [np.zeros((0, 3), np.int64)]
    for start in range(0, len(candidates), VERIFIED_AT_ONCE):
        pairs = candidates[start : start + VERIFIED_AT_ONCE]
        first, second = (
            _details(np.stack([reduce_image(image_at(number)) for number in pairs[:, column].tolist()]))
            for column in range(2)
        )
        kept.append(pairs[(first * second).sum(axis=1) >= MIN_AGREEMENT])
    return np.concatenate(kept)


def _band(hashes: Hashes, band: int) -> NDArray[np.int64]:
    return ((hashes >> np.uint64(BAND_BITS * band)) & np.uint64((1 << BAND_BITS) - 1)).astype(np.int64)


@cache
def _flips() -> tuple[int, ...]:
    """Differences of up to `BAND_DISTANCE` bits within a band."""
    return tuple(
        sum(1 << bit for bit in bits)
        for count in range(BAND_DISTANCE + 1)
        for bits in combinations(range(BAND_BITS), count)
    )


def _expand(
    starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Row and place of every place in the range of each row, some millions at a time."""
    counts = ends - starts
    done = np.concatenate([[0], np.cumsum(counts)])
    for first in range(0, int(done[-1]), COMPARED_AT_ONCE):
        at = np.arange(first, min(first + COMPARED_AT_ONCE, int(done[-1])))
        rows = np.searchsorted(done, at, side="right") - 1
        yield rows, starts[rows] + at - done[rows]


def _details(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a blur takes away of reduced images, as unit vectors."""
    blur = _blur()
    details = (images - blur @ images @ blur.T).reshape(len(images), -1)
    details -= details.mean(axis=1, keepdims=True)
    unit: NDArray[np.float32] = details / np.maximum(np.linalg.norm(details, axis=1, keepdims=True), 1e-6)
    return unit


@cache
def _blur() -> NDArray[np.float32]:
    """Matrix of a Gaussian blur with reflected edges."""
    place, matrix = np.arange(REDUCED_SIDE), np.zeros((REDUCED_SIDE, REDUCED_SIDE))
    for offset in range(-8, 9):
        at = place + offset
        at = np.where(at < 0, -1 - at, np.where(at >= REDUCED_SIDE, 2 * REDUCED_SIDE - 1 - at, at))
        np.add.at(matrix, (place, at), np.exp(-(offset**2) / (2 * DETAIL_SIGMA**2)))
    normed: NDArray[np.float32] = (matrix / matrix.sum(axis=1, keepdims=True)).astype(np.float32)
    return normed
