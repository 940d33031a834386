"""A gang's worker with few images, so that all views of all of them are computed in a moment."""

import dataclasses

import numpy as np
import pytest

from trainables.data.store.store import open_store, prepare_data
from trainables.workers.worker_context import WorkerContext


@pytest.fixture(scope="session")
def few_images(digits, cache):
    """The first digits of 4 classes, 48 of each, prepared as a set of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEARCHSPACE_CACHE", str(cache))
        store = open_store(digits)
        labels = store.labels
        rows = np.concatenate([np.flatnonzero(labels == name)[:48] for name in range(4)])
        file = cache / "few.npz"
        np.savez(file, x_train=np.moveaxis(np.asarray(store.images[rows]), 1, -1), y_train=labels[rows])
        return prepare_data(str(file))


@pytest.fixture
def few(place, few_images) -> WorkerContext:
    """The worker, in single precision and with one thread."""
    store = open_store(few_images)
    return WorkerContext.open(dataclasses.replace(place.group), store)
