"""Accuracy of an exported file on corrupted images. It is reported; no decision depends on it."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from trainables.augmentation.corruptions import CORRUPTIONS, corrupt, corruption_parameter
from trainables.config import Finite
from trainables.export.exported_files import Format
from trainables.metrics.intervals import Ends, wilson
from trainables.storage.files import read_record, write_file

if TYPE_CHECKING:
    from trainables.export.parity_check import Images, LogitsFunction, Reference

ROBUSTNESS = "robustness.json"
MEASURED_STRENGTHS = (1, 3, 5)
"""Of the five of the benchmarks: the weakest, the middle one, the strongest."""
MAX_CORRUPTED_IMAGES, MIN_CORRUPTED_IMAGES = 2_000, 200
"""Test images that are corrupted, at each strength."""
ROBUSTNESS_BUDGET_S = 15.0
"""Seconds that the file may take over all of them; a slow one sees fewer, but not fewer than `MIN_CORRUPTED_IMAGES`."""
MAX_CORRUPTED_VALUES = 25_000_000
"""Pixel values that are corrupted at each strength, which takes about a second; at least those of
`MIN_CORRUPTED_IMAGES`."""


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


def choose_count(images: "Images", rate: float) -> int:
    """Number of the test `images` that a file of `rate` images a second is measured on."""
    answered = ROBUSTNESS_BUDGET_S * rate / (1 + len(CORRUPTIONS) * len(MEASURED_STRENGTHS))
    made = MAX_CORRUPTED_VALUES / images[0].size
    return min(len(images), MAX_CORRUPTED_IMAGES, max(MIN_CORRUPTED_IMAGES, int(min(answered, made))))


def measure_robustness(name: Format, answer: "LogitsFunction", rate: float, exam: "Reference", seed: int) -> Robustness:
    """Accuracy of the file `name` under every corruption, on images chosen evenly from the reference's.

    `rate` is its images a second. `seed` draws the noise, of which a higher strength has more, not another.
    """
    from trainables.export.parity_check import compute_logits

    chosen = np.linspace(0, len(exam.images) - 1, choose_count(exam.images, rate)).astype(int)
    images, labels = _choose(exam.images, chosen), exam.labels[chosen]

    def score(seen: "Images") -> float:
        return float((compute_logits(answer, seen).argmax(axis=1) == labels).mean())

    def each() -> Iterator[CorruptionResult]:
        for place, corruption in enumerate(CORRUPTIONS):
            for strength in MEASURED_STRENGTHS:
                rng = np.random.default_rng([seed, place])
                worse: Images = (
                    corrupt(corruption, images, strength, rng)
                    if isinstance(images, np.ndarray)
                    else [corrupt(corruption, image[None], strength, rng)[0] for image in images]
                )
                yield CorruptionResult(
                    corruption=corruption, strength=strength, accuracy=score(worse),
                    parameter=corruption_parameter(corruption, max(images[0].shape[-2:]), strength),
                )  # fmt: skip

    return Robustness(format=name, count=len(labels), clean=score(images), corrupted=tuple(each()))


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
