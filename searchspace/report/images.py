"""Pictures: the worst mistakes, the most uncertain answers, and what augmentation did."""

import base64
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from searchspace.report.blocks import Block, MissingError, Note, Picture, Pictures
from searchspace.report.material import Material
from trainables.card import member_folder
from trainables.config import TrialConfig
from trainables.data.store import open_store
from trainables.data.summary import DataSummary
from trainables.predictions import PERMIT
from trainables.printable import printable
from trainables.sheet import SHEET

MOST = 16
"""Pictures of a kind."""
SIDE = 96
"""Longest side of one, in pixels."""
TINY = 64
"""Side below which pixels are shown as squares."""


def mistakes(material: Material) -> Iterator[Block]:
    """Wrong answers, by how improbable the truth seemed."""
    found = material.predictions
    truth = found.probabilities[np.arange(len(found.labels)), found.labels]
    wrong = np.flatnonzero(found.called != found.labels)
    if not len(wrong):
        yield Note(f"No test image of {len(found.labels):,} was wrong.")
        return
    worst = wrong[np.argsort(truth[wrong], kind="stable")][:MOST]
    those = "All" if len(worst) == len(wrong) else f"{len(worst)} of the"
    order = "first those where the true class seemed least probable"
    yield Note("The only wrong answer." if len(wrong) == 1 else f"{those} {len(wrong):,} wrong answers, {order}.")
    yield Pictures(_pictures(material, worst))


def uncertain(material: Material) -> Iterator[Block]:
    """Answers, right or wrong, whose class is least ahead of the next."""
    two = np.partition(material.predictions.probabilities, -2, axis=1)[:, -2:]
    least = np.argsort(two[:, 1] - two[:, 0], kind="stable")[:MOST]
    yield Note("The answers, right or wrong, whose class has the smallest lead over the next.")
    yield Pictures(_pictures(material, least))


def augmented(material: Material) -> Iterator[Block]:
    """Training images as the winner saw them."""
    if not material.configs:
        raise MissingError("There is no winner yet.")
    for place, (number, config) in enumerate(material.configs.items()):
        folder = material.winner if len(material.configs) == 1 else member_folder(material.winner, place)
        yield Note(f"Trial {number}: {_augmentation(config)}.")
        if (folder / SHEET).is_file():
            title = "Training images of several classes: the image itself, then as training saw it"
            yield Pictures([Picture(_uri((folder / SHEET).read_bytes()), tiny=True)], title, sheet=True)


def _augmentation(config: TrialConfig) -> str:
    said = [f"strength {config.augment_strength:.3g} of 1"] if config.augment_strength else []
    said += [f"{config.flip} flips"] if config.flip != "none" else []
    said += [f"{name} {value:.3g} (not shown)" for name in ("mixup", "cutmix") if (value := getattr(config, name))]
    return "augmentation of " + ", ".join(said) if said else "trained on images as they are, without augmentation"


def _pictures(material: Material, chosen: NDArray[np.int64]) -> list[Picture]:
    """The chosen test images, and what was said of each."""
    found, names = material.predictions, material.data.classes
    images, facts = _test_images(material.data, material.winner), material.image_facts
    return [
        Picture(
            _uri(png(images[index])),
            [
                *_told(names, int(found.labels[index]), int(found.called[index]), found.probabilities[index]),
                printable(facts.paths[index]) if facts else f"test image {index:,}",
            ],
            tiny=material.data.side < TINY,
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


def _test_images(data: DataSummary, winner: Path) -> NDArray[np.uint8]:
    """The test split, opened by the winner's own permit; raises `MissingError` where the store is gone or another."""
    stored = Path(data.path) / "summary.json"
    if not stored.is_file():
        raise MissingError(f"The prepared images of {data.name} are not on this machine, so none can be shown.")
    if DataSummary.model_validate_json(stored.read_bytes()).fingerprint != data.fingerprint:
        raise MissingError(f"The prepared images of {data.name} are no longer those of this search.")
    return open_store(data).open_test(winner / PERMIT)[0]


def png(image: NDArray[np.uint8]) -> bytes:
    """A stored image (channels, height, width) as a small PNG."""
    picture = Image.fromarray(image[0] if len(image) == 1 else np.moveaxis(image, 0, -1))
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=True)
    return out.getvalue()


def _uri(content: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(content).decode()
