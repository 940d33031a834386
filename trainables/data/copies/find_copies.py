"""Finds images that occur in two splits, and decides which of them leave the earlier one.

Images are numbered over train, val and test, in this order. Of a pair, the copy is the image in the earlier split.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from trainables.data.copies.copy_summary import CopySummary, KeptReason, NearSearch
from trainables.data.copies.leaked_images import LeakedImage
from trainables.data.copies.near_copies import are_too_alike, find_candidates, verify
from trainables.data.copies.perceptual_hash import NO_HASH, Hashes
from trainables.data.splits import SPLIT_SEED, SplitName

SPLIT_ORDER: tuple[SplitName, ...] = ("train", "val", "test")
MAX_NEAR_SHARE = 0.2
"""Share of an earlier split up to which near copies leave it: more are no accident, but one scene, or one thing."""
Numbers = NDArray[np.int64]
ImageAt = Callable[[SplitName, int], NDArray[np.uint8]]
"""Stored pixels of an image by split and place, channels x height x width."""


@dataclass(frozen=True)
class SplitImages:
    """What is known of a split's images, one value an image."""

    digests: NDArray[np.bytes_]
    """Digest of each image's pixels."""
    hashes: Hashes
    """Perceptual hash of each image."""
    labels: Numbers
    """Class of each image."""
    rows: Numbers
    """Row of each image in its source's part."""
    name_of: Callable[[int], str]
    """Name of the image of a row."""

    def without(self, places: Numbers) -> "SplitImages":
        """The images that are left without those at `places`."""
        kept = np.delete(np.arange(len(self.rows)), places)
        return SplitImages(self.digests[kept], self.hashes[kept], self.labels[kept], self.rows[kept], self.name_of)


@dataclass(frozen=True)
class FoundCopies:
    """Images that occur in two splits."""

    summary: CopySummary
    """Their numbers."""
    listed: tuple[LeakedImage, ...]
    """The pairs: for each held-out image with copies, and for each image that leaves."""
    leaving: Mapping[SplitName, Numbers]
    """Places of the images that leave train and val, ascending; none where they are kept."""


@dataclass(frozen=True)
class _Pairs:
    """Held-out images and copies of them, by number."""

    late: Numbers
    """The held-out images."""
    early: Numbers
    """Their copies, in earlier splits."""
    distance: Numbers
    """Bits in which their hashes differ; -1 where all pixels are equal."""

    @property
    def is_equal(self) -> NDArray[np.bool_]:
        return self.distance < 0


@dataclass(frozen=True)
class _Images:
    """All images of a data set."""

    splits: Mapping[SplitName, SplitImages]

    @cached_property
    def starts(self) -> Numbers:
        """Number of the first image of each split, and of all images."""
        return np.cumsum([0, *(len(self.splits[split].rows) for split in SPLIT_ORDER)])

    @cached_property
    def digests(self) -> NDArray[np.bytes_]:
        return np.concatenate([self.splits[split].digests for split in SPLIT_ORDER])

    @cached_property
    def hashes(self) -> Hashes:
        return np.concatenate([self.splits[split].hashes for split in SPLIT_ORDER])

    @cached_property
    def labels(self) -> Numbers:
        return np.concatenate([self.splits[split].labels for split in SPLIT_ORDER])

    def split_of(self, numbers: Numbers) -> Numbers:
        """Place in `SPLIT_ORDER` of each image's split."""
        return np.searchsorted(self.starts, numbers, side="right") - 1

    def locate(self, number: int) -> tuple[SplitName, int]:
        """Split of an image, and its place there."""
        at = int(self.split_of(np.array(number)))
        return SPLIT_ORDER[at], number - int(self.starts[at])

    def name(self, number: int) -> tuple[str, SplitName]:
        """Name and split of an image."""
        split, place = self.locate(number)
        return self.splits[split].name_of(int(self.splits[split].rows[place])), split


def find_copies(splits: Mapping[SplitName, SplitImages], image_at: ImageAt, kept: KeptReason = "") -> FoundCopies:
    """Find images of val that are also in train, and of test that are also in either; `kept` says why they stay."""
    images = _Images(splits)
    equal = _find_equal(images)
    search, near = _find_near(images, image_at)
    pairs = _Pairs(*(np.concatenate(each) for each in zip(_fields(equal), _fields(near), strict=True)))
    same_label = images.labels[pairs.late] == images.labels[pairs.early]
    leaving, too_many = _choose_leaving(images, pairs, same_label)
    gone = np.concatenate([leaving[split] + images.starts[at] for at, split in enumerate(SPLIT_ORDER[:2])])
    late = np.unique(pairs.late[pairs.is_equal])
    stays = ~np.isin(pairs.early, gone)
    summary = CopySummary(
        equal=len(late), near=len(np.setdiff1d(pairs.late, late)), search=search, kept=kept, too_many=too_many,
        other_label=len(np.unique(pairs.late[pairs.is_equal & ~same_label])),
        leaving={str(split): len(places) for split, places in leaving.items() if len(places)},
        near_staying=len(np.unique(pairs.late[stays])),
    )  # fmt: skip
    listed = [
        LeakedImage(
            *images.name(int(pairs.late[at])), *images.name(int(pairs.early[at])), max(0, int(pairs.distance[at])),
            bool(pairs.is_equal[at]), bool(same_label[at]), not kept and not stays[at],
            images.locate(int(pairs.late[at]))[1], images.locate(int(pairs.early[at]))[1],
        )
        for at in np.lexsort((pairs.distance, pairs.late)).tolist()
    ]  # fmt: skip
    return FoundCopies(summary, tuple(listed), {} if kept else {s: p for s, p in leaving.items() if len(p)})


def _fields(pairs: _Pairs) -> tuple[Numbers, Numbers, Numbers]:
    return pairs.late, pairs.early, pairs.distance


def _find_equal(images: _Images) -> _Pairs:
    """Each held-out image with the first image of equal pixels, and each earlier image with the last one."""
    _, first, kind = np.unique(images.digests, return_index=True, return_inverse=True)
    last, numbers = np.zeros_like(first), np.arange(len(kind))
    np.maximum.at(last, kind, numbers)
    pairs = np.concatenate([np.stack([numbers, first[kind]], axis=1), np.stack([last[kind], numbers], axis=1)])
    late, early = np.unique(pairs[images.split_of(pairs[:, 0]) > images.split_of(pairs[:, 1])], axis=0).T
    return _Pairs(late, early, np.full(len(late), -1, np.int64))


def _find_near(images: _Images, image_at: ImageAt) -> tuple[NearSearch, _Pairs]:
    """Pairs of near copies, without those of equal pixels."""
    found = [np.zeros((0, 3), np.int64)]
    if (images.hashes == NO_HASH).all():
        return "too small", _Pairs(*found[0].T)
    if are_too_alike(images.hashes[images.starts[1] :], images.hashes[: images.starts[1]], SPLIT_SEED):
        return "too alike", _Pairs(*found[0].T)
    for at in (1, 2):
        start, end = images.starts[at], images.starts[at + 1]
        pairs = find_candidates(images.hashes[start:end], images.hashes[:start])
        pairs[:, 0] += start
        pairs = pairs[images.digests[pairs[:, 0]] != images.digests[pairs[:, 1]]]
        found.append(verify(pairs, lambda number: image_at(*images.locate(number))))
    return "done", _Pairs(*np.concatenate(found).T)


def _choose_leaving(
    images: _Images, pairs: _Pairs, same_label: NDArray[np.bool_]
) -> tuple[dict[SplitName, Numbers], bool]:
    """Places of the images that leave train and val, and whether there are too many near copies to leave.

    Images of equal pixels leave. Near copies leave if they have the same class: of another one, they may show the very
    difference that is to be learnt.
    """
    leaving, too_many = dict[SplitName, Numbers](), False
    splits = images.split_of(pairs.early)
    for at, split in enumerate(SPLIT_ORDER[:2]):
        here = splits == at
        equal = np.unique(pairs.early[here & pairs.is_equal])
        every = np.union1d(equal, pairs.early[here & same_label])
        few = len(every) - len(equal) <= MAX_NEAR_SHARE * len(images.splits[split].rows)
        leaving[split] = (every if few else equal) - images.starts[at]
        too_many |= not few
    return leaving, too_many
