"""The test split's one evaluation: class probabilities, written where the driver turns them into metrics."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.evaluate import probabilities
from trainables.train import Workplace
from trainables.weights import read_classifier

PERMIT = "test-opened.json"
"""Written once, by the finals, when the winner is retrained; the store opens the test split for nobody else."""
PREDICTIONS = "test-predictions.npz"


def write_predictions(folder: Path, place: Workplace) -> None:
    """Evaluate the classifier in `folder` on the test split, which the permit beside it opens."""
    classifier, _ = read_classifier(folder, place.group.device)
    images, labels = place.store.open_test(folder / PERMIT)
    found = probabilities(classifier, images, place.group.device)
    np.savez_compressed(folder / PREDICTIONS, probabilities=found, labels=labels)


def read_predictions(folder: Path) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Probabilities (n, classes) and labels (n,) that `write_predictions` wrote."""
    with np.load(folder / PREDICTIONS) as found:
        return found["probabilities"], found["labels"]
