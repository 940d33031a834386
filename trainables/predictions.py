"""Class probabilities on disk: written by a worker, read by the driver, which imports no torch for that."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from trainables.train import TrialRun
    from trainables.workplace import Workplace

PERMIT = "test-opened.json"
"""Written once, by the finals, when the winner is retrained; the store opens the test split for nobody else."""
PREDICTIONS = "test-predictions.npz"
VALIDATION = "val-predictions.npz"


def write_predictions(folder: Path, place: "Workplace") -> None:
    """Evaluate the classifier in `folder` on the test split, which the permit beside it opens."""
    from trainables.evaluate import probabilities
    from trainables.weights import read_classifier

    classifier, _ = read_classifier(folder, place.group.device)
    images, labels = place.store.open_test(folder / PERMIT)
    found = probabilities(classifier, images, place.group.device)
    np.savez_compressed(folder / PREDICTIONS, probabilities=found, labels=labels)


def write_validation(folder: Path, run: "TrialRun") -> None:
    """Write what a trained final says of the validation split, float32, into `folder`; by this worker alone."""
    from trainables.evaluate import predict

    folder.mkdir(parents=True, exist_ok=True)
    rows = run.place.store.rows("val")
    found = predict(run.kept, run.evaluated(), rows)
    np.savez_compressed(folder / VALIDATION, probabilities=found, labels=run.place.store.labels[rows])


def read_predictions(folder: Path, file: str = PREDICTIONS) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Probabilities (n, classes) and labels (n,) that lie in `folder`."""
    with np.load(folder / file) as found:
        return found["probabilities"], found["labels"]
