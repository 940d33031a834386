"""Closed-form trials on real digits, as a worker runs them."""

import numpy as np
import pytest
import torch

from tests.helpers.training import assignment
from trainables.config import TrialConfig
from trainables.export.weights import read_classifier
from trainables.training.closed_form.closed_form_run import ClosedFormRun
from trainables.training.closed_form.fit_head import fit_head
from trainables.training.evaluation import forward, predict
from trainables.training.profiling import probe_trial
from trainables.training.trial_outputs import write_validation_predictions, write_weights

PROBE = TrialConfig(model="tf_efficientnet_lite0", freeze="all", head_solver="lbfgs")
CPU = torch.device("cpu")


def run(place, folder, **changes) -> ClosedFormRun:
    config = PROBE.model_copy(update=changes.pop("update", {}))
    found = ClosedFormRun(assignment(folder, config, **changes), place)
    found.train_epoch()
    return found


def test_a_trial_reports_once_at_full_length(place, tmp_path):
    trial = run(place, tmp_path, max_epochs=18)
    (report,) = trial.reports
    assert (report.epoch, report.status) == (18, "complete")
    assert report.accuracy > 0.85
    assert 0 < report.val_loss < 0.6
    assert report.parameters > 3_300_000, "the backbone's, too"
    assert report.total_seconds == pytest.approx(report.seconds + report.setup_seconds)
    assert report.setup_seconds >= report.shared_seconds
    assert trial.done


@pytest.mark.parametrize("tta", [False, True])
def test_the_winner_in_its_folder_is_the_fitted_head(place, tmp_path, tta):
    trial = run(place, tmp_path, kind="winner", update={"tta": tta})
    write_weights(tmp_path, trial.assignment, trial)
    classifier, card = read_classifier(tmp_path)
    assert card.epochs == trial.assignment.max_epochs
    rows = np.arange(40)
    with torch.inference_mode():
        whole = forward(classifier, torch.from_numpy(np.array(place.store.images[rows]))).softmax(dim=1).numpy()
    assert whole == pytest.approx(predict(trial.averaged, trial.evaluation_inputs(), rows), abs=1e-4)


def test_a_final_leaves_its_validation_predictions(place, tmp_path):
    write_validation_predictions(tmp_path, run(place, tmp_path, kind="final"))
    assert list(tmp_path.glob("*.npz"))


def test_validation_images_have_no_part_in_the_fit(place, tmp_path):
    store = place.store
    rows, held = store.rows("train"), store.rows("val")
    head = fit_head(PROBE, store, rows, CPU)
    poisoned = store.labels.copy()
    poisoned[held] = 9 - poisoned[held]
    other = fit_head(PROBE, type(store)(store.summary, store.images, poisoned, store.columns), rows, CPU)
    assert torch.equal(head.weight, other.weight)
    assert head.l2 == other.l2


def test_balance_makes_rare_classes_likelier(place):
    store = place.store
    rows = store.rows("train")
    few = np.concatenate([rows[store.labels[rows] != 3], rows[store.labels[rows] == 3][:3]])
    config = PROBE.model_copy(update={"balance": "loss"})
    plain, balanced = (fit_head(c, store, few, CPU).bias.softmax(dim=0) for c in (PROBE, config))
    assert not torch.allclose(plain, balanced)
    sampled = fit_head(PROBE.model_copy(update={"balance": "sampling"}), store, few, CPU)
    assert torch.equal(sampled.weight, fit_head(config, store, few, CPU).weight)


def test_a_dry_run_times_it(place, tmp_path):
    found = probe_trial(assignment(tmp_path, PROBE, kind="probe", max_epochs=5), place)
    assert not found.reason
    assert found.epoch_seconds > 0
    unseen = PROBE.model_copy(update={"input_size": 48})
    assert probe_trial(assignment(tmp_path, unseen, kind="probe"), place).once_seconds > 0
