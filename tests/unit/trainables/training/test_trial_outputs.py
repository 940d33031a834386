"""What a trial leaves of its predictions: small, for ensembles; a final keeps them whole."""

import numpy as np
import pytest

from tests.helpers.training import CONVNET
from trainables.config import Assignment
from trainables.metrics.predictions import VALIDATION_PREDICTIONS, read_predictions
from trainables.training import trial_outputs
from trainables.training.loop import TrialRun
from trainables.training.trial_outputs import write_validation_predictions


def run_of(kind, place, folder) -> TrialRun:
    task = Assignment(trial="t", kind=kind, config=CONVNET, seed=1, max_epochs=1, folder=str(folder))
    return TrialRun(task, place)


@pytest.mark.parametrize(("kind", "dtype"), [("search", np.float16), ("final", np.float32)])
def test_a_trial_keeps_its_predictions_in_half_precision(kind, dtype, place, tmp_path):
    write_validation_predictions(tmp_path, run_of(kind, place, tmp_path))
    found, labels = read_predictions(tmp_path, VALIDATION_PREDICTIONS)
    assert found.dtype == dtype
    assert found.astype(float).sum(axis=1) == pytest.approx(1.0, abs=5e-3)
    assert np.array_equal(labels, place.store.labels[place.store.rows("val" if kind == "search" else "final-val")])


def test_predictions_of_a_trial_that_would_be_large_are_not_kept(place, tmp_path, monkeypatch):
    monkeypatch.setattr(trial_outputs, "MAX_TRIAL_BYTES", 100)
    write_validation_predictions(tmp_path, run_of("search", place, tmp_path))
    assert not (tmp_path / VALIDATION_PREDICTIONS).exists()
    write_validation_predictions(tmp_path, run_of("final", place, tmp_path))
    assert (tmp_path / VALIDATION_PREDICTIONS).exists()
