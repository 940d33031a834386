"""Draws whole groups of images, so that each class has the share that is wanted.

Images are stratified as scikit-learn's `StratifiedGroupKFold` does, greedily and the largest groups first. That one
makes all folds at once, in a time that grows with the square of their number; here one fold is drawn, of any size.
"""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
ORDERS = 8
"""Orders of groups that are tried; the draw that is closest to what is wanted is taken."""
MAX_STEPS = 400_000
"""Groups that are considered over all orders, beyond the first, at most."""


@dataclass(frozen=True)
class GroupDraw:
    """Some groups of images."""

    drawn: NDArray[np.bool_]
    """Whether each image is drawn, shape (n,)."""
    missing: tuple[int, ...]
    """Classes of which images were wanted, and none could be drawn so that enough groups remain."""


def number_groups(groups: Numbers) -> Numbers:
    """Group numbers from 0, where each image without a group (-1) has one of its own."""
    alone = np.flatnonzero(groups < 0)
    apart = groups.astype(np.int64)
    apart[alone] = groups.max(initial=-1) + 1 + np.arange(len(alone))
    return np.unique(apart, return_inverse=True)[1].reshape(-1).astype(np.int64)


def draw_groups(labels: Numbers, groups: Numbers, wanted: NDArray[Any], spared: int, seed: int) -> GroupDraw:
    """Draw whole groups with about `wanted` images of each class; `spared` groups of each class are never drawn.

    `groups` has a number for each image, -1 for one that is a group of its own. The draw depends on the arguments
    alone, and not on a library's generator.
    """
    numbers = number_groups(groups)
    content = _count_classes(labels, numbers, len(wanted))
    sizes = np.bincount(numbers)
    closest, chosen, lacking = (len(wanted) + 1, 0.0), list[int](), tuple[int, ...]()
    for turn in range(max(1, min(ORDERS, MAX_STEPS // len(sizes)))):
        chance = hash_numbers(np.arange(len(sizes)), seed + turn)
        order = np.lexsort((chance, -sizes if turn % 2 == 0 else np.zeros_like(sizes)))
        choice = _Choice(content, wanted, spared)
        choice.take_closer(order.tolist())
        choice.take_missing()
        counts = np.array(choice.have)
        missing = np.flatnonzero((counts == 0) & (wanted > 0))
        rank = len(missing), float((np.square(counts - wanted) / np.maximum(wanted, 1)).sum())
        if rank < closest:
            closest, chosen, lacking = rank, sorted(choice.chosen), tuple(missing.tolist())
    return GroupDraw(np.isin(numbers, np.array(chosen, np.int64)), lacking)


def hash_numbers(numbers: Numbers, seed: int) -> NDArray[np.uint64]:
    """A pseudo-random value for each number by splitmix64, since NumPy's generators may change with its version."""
    values = numbers.astype(np.uint64) + np.uint64(seed)
    with np.errstate(over="ignore"):
        values = values * np.uint64(0x9E3779B97F4A7C15)
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    scrambled: NDArray[np.uint64] = values ^ (values >> np.uint64(31))
    return scrambled


ClassCounts = list[tuple[int, int]]
"""Classes of a group, each with its number of images."""


def _count_classes(labels: Numbers, groups: Numbers, classes: int) -> list[ClassCounts]:
    """The images of each class in each group."""
    pairs, counts = np.unique(groups * classes + labels, return_counts=True)
    found: list[ClassCounts] = [[] for _ in range(int(groups.max(initial=-1)) + 1)]
    for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True):
        found[pair // classes].append((pair % classes, count))
    return found


class _Choice:
    """Groups that are chosen one by one, and the images of each class in them."""

    def __init__(self, content: list[ClassCounts], wanted: NDArray[Any], spared: int) -> None:
        """Start without groups."""
        self._content, self._goal, self._spared = content, wanted.tolist(), spared
        self.chosen: set[int] = set()
        self.have = [0] * len(self._goal)
        self._left = [0] * len(self._goal)
        for label, _ in itertools.chain.from_iterable(content):
            self._left[label] += 1

    def take_closer(self, order: list[int]) -> None:
        """Take each group of `order` that brings the counts closer to what is wanted."""
        have, goal = self.have, self._goal
        for number in order:
            group = self._content[number]
            change = sum(n * (n + 2 * (have[label] - goal[label])) / max(goal[label], 1) for label, n in group)
            if change < 0 and self._is_free(group):
                self._take(number)

    def take_missing(self) -> None:
        """Take the smallest group of each class that has none, since all are larger than what is wanted."""
        for label in [label for label, goal in enumerate(self._goal) if goal > 0 and not self.have[label]]:
            able = [
                (sum(count for _, count in group), number)
                for number, group in enumerate(self._content)
                if any(label == other for other, _ in group) and self._is_free(group)
            ]
            if able and not self.have[label]:
                self._take(min(able)[1])

    def _is_free(self, group: ClassCounts) -> bool:
        """Whether enough groups of each class remain without this one."""
        return all(self._left[label] > self._spared for label, _ in group)

    def _take(self, number: int) -> None:
        self.chosen.add(number)
        for label, count in self._content[number]:
            self.have[label] += count
            self._left[label] -= 1
