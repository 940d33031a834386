"""Accuracy of an exported file on corrupted images. It is reported; no decision depends on it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from trainables.augmentation.corruptions import CORRUPTIONS, corrupt, corruption_parameter
from trainables.common.environment import core_count
from trainables.config import Finite
from trainables.export.exported_files import Format
from trainables.metrics.intervals import Ends, wilson
from trainables.storage.files import read_record, write_file

if TYPE_CHECKING:
    from trainables.export.parity_check import Images, LogitsFunction, Reference

ROBUSTNESS = "robustness.json"
MEASURED_STRENGTHS = (1, 3, 5)
"""Of the five of the benchmarks: the weakest, the middle one, the strongest."""
MAX_CORRUPTED_IMAGES, MIN_CORRUPTED_IMAGES = 2_000, 100
"""Test images that are corrupted, at each strength."""
ROBUSTNESS_BUDGET_S = 15.0
"""Seconds that the file may take over all of them; a slow one sees fewer, but not fewer than `MIN_CORRUPTED_IMAGES`."""
CORRUPTION_RATE = 25_000_000
"""Pixel values that are corrupted in a second, about."""


def check_corruption_name(name: str) -> str:
    """`name` if it is in `CORRUPTIONS`; raises ValueError for any other."""
    if name not in CORRUPTIONS:
        raise ValueError("is no known corruption")
    return name


class CorruptionResult(Finite):
    """Accuracy on test images under one corruption."""

    corruption: Annotated[str, AfterValidator(check_corruption_name)]
    """Its name in `CORRUPTIONS`."""
    strength: int = Field(ge=1, le=5)
    """From 1 to 5."""
    parameter: float
    """What that strength means for images of this size; the corruption says in which unit."""
    accuracy: float
    """Share of these images whose likeliest class is theirs, from 0 to 1."""


class Robustness(Finite):
    """Accuracy under common corruptions (arXiv:1903.12261)."""

    format: Format
    """The file that answered: the recommended one."""
    count: int
    """Test images, evenly from all; the same ones at every strength."""
    clean: float
    """Accuracy on the uncorrupted images, from 0 to 1."""
    corrupted: tuple[CorruptionResult, ...] = Field(min_length=1)
    """By corruption, then by strength."""

    def interval(self, accuracy: float) -> Ends:
        """95 % Wilson interval of an accuracy on these images."""
        return wilson(accuracy, self.count)

    @property
    def mean(self) -> float:
        """Mean accuracy over all corruptions and strengths."""
        return sum(entry.accuracy for entry in self.corrupted) / len(self.corrupted)

    @property
    def worst(self) -> CorruptionResult:
        """The result with the lowest accuracy."""
        return min(self.corrupted, key=lambda entry: entry.accuracy)

    def by_corruption(self) -> dict[str, list[CorruptionResult]]:
        """The entries of each corruption, in the order of their strengths."""
        names = dict.fromkeys(entry.corruption for entry in self.corrupted)
        return {name: [entry for entry in self.corrupted if entry.corruption == name] for name in names}


def choose_count(images: "Images", rate: float, seconds: float = ROBUSTNESS_BUDGET_S) -> int:
    """Number of the test `images` that a file of `rate` images a second is measured on, in about `seconds`."""
    least = min(len(images), MIN_CORRUPTED_IMAGES)
    affordable = seconds / expected_seconds(images, rate, 1)
    return max(least, min(len(images), MAX_CORRUPTED_IMAGES, int(affordable)))


def expected_seconds(images: "Images", rate: float, count: int) -> float:
    """Seconds that a file of `rate` images a second takes for `count` of the `images`, at all strengths."""
    corrupted = len(CORRUPTIONS) * len(MEASURED_STRENGTHS)
    return count * ((1 + corrupted) / rate + corrupted * images[0].size / CORRUPTION_RATE)


def measure_robustness(
    name: Format, answer: "LogitsFunction", rate: float, exam: "Reference", seed: int,
    seconds: float = ROBUSTNESS_BUDGET_S,
) -> Robustness:  # fmt: skip
    """Accuracy of the file `name` under every corruption, on images chosen evenly from the reference's.

    They are as many as fit about `seconds`, but at least `MIN_CORRUPTED_IMAGES`.

    `rate` is its images a second. `seed` draws the noise, of which a higher strength has more, not another.
    """
    from trainables.export.parity_check import compute_logits

    chosen = np.linspace(0, len(exam.images) - 1, choose_count(exam.images, rate, seconds)).astype(int)
    images, labels = _choose(exam.images, chosen), exam.labels[chosen]

    def score(seen: "Images") -> float:
        return float((compute_logits(answer, seen).argmax(axis=1) == labels).mean())

    def each() -> Iterator[CorruptionResult]:
        for place, corruption in enumerate(CORRUPTIONS):
            for strength in MEASURED_STRENGTHS:
                worse = _corrupt_all(partial(corrupt, corruption), images, strength, (seed, place))
                yield CorruptionResult(
                    corruption=corruption, strength=strength, accuracy=score(worse),
                    parameter=corruption_parameter(corruption, max(images[0].shape[-2:]), strength),
                )  # fmt: skip

    return Robustness(format=name, count=len(labels), clean=score(images), corrupted=tuple(each()))


def _corrupt_all(
    change: Callable[[NDArray[np.uint8], int, np.random.Generator], NDArray[np.uint8]], images: "Images",
    strength: int, seed: tuple[int, int],
) -> "Images":  # fmt: skip
    """All images, corrupted; those of several sizes one by one on all cores, each with draws of its own."""
    if isinstance(images, np.ndarray):
        return change(images, strength, np.random.default_rng(seed))

    def change_one(place: int) -> NDArray[np.uint8]:
        changed: NDArray[np.uint8] = change(images[place][None], strength, np.random.default_rng((*seed, place)))[0]
        return changed

    with ThreadPoolExecutor(core_count(), thread_name_prefix="corruptions") as threads:
        return list(threads.map(change_one, range(len(images))))


def _choose(images: "Images", places: NDArray[np.int64]) -> "Images":
    return images[places] if isinstance(images, np.ndarray) else [images[place] for place in places.tolist()]


def write_robustness(folder: Path, found: Robustness) -> None:
    """Write the record into the winner's folder."""
    write_file(folder / ROBUSTNESS, found.model_dump_json(indent=1).encode())


def read_robustness(folder: Path) -> Robustness | None:
    """Robustness of the winner in `folder`; None if it was not measured. Raises `DamagedError`."""
    try:
        return read_record(folder / ROBUSTNESS, Robustness)
    except FileNotFoundError:
        return None
