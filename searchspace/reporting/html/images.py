"""Pictures: the worst mistakes, the most uncertain answers, and augmented training images."""

import base64
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from searchspace.reporting.html.blocks import Block, MissingError, Note, Picture, Pictures, require_predictions
from searchspace.reporting.results import SearchResults
from trainables.augmentation.augmentation_registry import describe_augmentation
from trainables.augmentation.preview import PREVIEW
from trainables.common.errors import DamagedError
from trainables.common.escaping import printable
from trainables.data.copies.copy_pictures import CopyPicture, read_copy_pictures
from trainables.data.copies.leaked_images import LEAKED_IMAGES
from trainables.data.thumbnails import (
    PNG_START,
    THUMBNAILS_FILE,
    find_most_uncertain,
    find_worst_mistakes,
    read_thumbnails,
)
from trainables.export.model_info import member_folder
from trainables.storage.files import is_file, read_file

MAX_PREVIEW_BYTES = 16_000_000
"""Bytes of the largest picture of augmentation; one has some 0.5 MB."""
SMALL_IMAGE_SIDE = 64
"""Side below which pixels are shown as squares."""


def mistakes(results: SearchResults) -> Iterator[Block]:
    """Wrong answers, by how improbable the truth seemed."""
    found = require_predictions(results)
    wrong = np.flatnonzero(found.predicted != found.labels)
    if not len(wrong):
        yield Note(f"No test image of {len(found.labels):,} was wrong.")
        return
    worst = find_worst_mistakes(found.probabilities, found.labels)
    those = "All" if len(worst) == len(wrong) else f"{len(worst)} of the"
    order = "first those where the true class seemed least probable"
    yield Note("The only wrong answer." if len(wrong) == 1 else f"{those} {len(wrong):,} wrong answers, {order}.")
    yield Pictures(_pictures(results, worst))


def uncertain(results: SearchResults) -> Iterator[Block]:
    """Answers, right or wrong, whose class is least ahead of the next."""
    least = find_most_uncertain(require_predictions(results).probabilities)
    yield Note("The answers, right or wrong, whose class has the smallest lead over the next.")
    yield Pictures(_pictures(results, least))


def augmented(results: SearchResults) -> Iterator[Block]:
    """Training images as the winner saw them."""
    if not results.winner_configs:
        raise MissingError("There is no winner yet.")
    winner, several = results.winner.folder, len(results.winner_configs) > 1
    for place, (number, config) in enumerate(results.winner_configs.items()):
        folder = member_folder(winner, place) if several else winner
        yield Note(f"Trial {number}: {describe_augmentation(config)}.")
        if is_file(folder / PREVIEW):
            title = "Training images of several classes: the image itself, then as training saw it"
            yield Pictures([Picture(_uri(_read_png(folder / PREVIEW)), tiny=True)], title, sheet=True)


def pictured_copies(results: SearchResults) -> Iterator[Block]:
    """Copies beside the held-out images that they are copies of; nothing where there are none."""
    if found := read_copy_pictures(results.folder):
        yield Pictures(
            [
                Picture(_uri(pair.png), _describe_pair(pair), tiny=results.data.side < SMALL_IMAGE_SIDE)
                for pair in found
            ],
            f"Images that are in two splits, the held-out one on the left; all are in {LEAKED_IMAGES}",
        )


def _describe_pair(pair: CopyPicture) -> list[str]:
    kind = "equal pixels" if pair.is_equal else f"near copy, {pair.distance} of 64 bits differ"
    fate = f"left out of {pair.its_split}" if pair.is_left_out else f"stays in {pair.its_split}"
    return [f"{kind}; {fate}", f"{pair.split}: {pair.image}", f"{pair.its_split}: {pair.same_as}"]


def _pictures(results: SearchResults, chosen: NDArray[np.int64]) -> list[Picture]:
    """The chosen test images, and what was said of each."""
    found, names = require_predictions(results), results.data.classes
    images = read_thumbnails(results.winner.folder, found.probabilities, found.labels)
    facts = results.winner.image_facts
    if images is None or not set(chosen.tolist()) <= images.keys():
        raise MissingError(
            f"These images are not in the winner's folder ({THUMBNAILS_FILE}): an earlier version tested it, or they "
            "are of another test."
        )
    return [
        Picture(
            _uri(images[int(index)]),
            [
                *_told(names, int(found.labels[index]), int(found.predicted[index]), found.probabilities[index]),
                printable(facts.paths[index]) if facts else f"test image {index:,}",
            ],
            tiny=results.data.side < SMALL_IMAGE_SIDE,
        )
        for index in chosen
    ]


def _told(names: Sequence[str], true: int, called: int, probabilities: NDArray[Any]) -> list[str]:
    if true == called:
        second = int(np.argsort(probabilities)[-2])
        said = (("right", true), ("next", second))
    else:
        said = (("true", true), ("said", called))
    return [f"{word}: {printable(names[index])} ({probabilities[index]:.1%})" for word, index in said]


def _read_png(file: Path) -> bytes:
    content = read_file(file, MAX_PREVIEW_BYTES)
    if not content.startswith(PNG_START):
        raise DamagedError(file, "is no PNG file")
    return content


def _uri(content: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(content).decode()
