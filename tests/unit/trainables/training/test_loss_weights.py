"""Images' own weights in the loss: with scikit-learn's, with balanced classes, mixtures, smoothing and workers."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss

from tests.helpers.class_balance import NETWORKS, one_thread_fp32, place_of  # noqa: F401  # a fixture
from tests.helpers.images.labelled_tables import image_names, labels_of, make_images
from trainables.config import Assignment, TrialConfig
from trainables.data.data_options import DataOptions
from trainables.data.loading.epoch_plan import Mixing, PlannedBatch, epoch_plan
from trainables.data.loading.input_loader import InMemoryLoader
from trainables.data.store.store import prepare_data
from trainables.metrics.metric_registry import compute_score
from trainables.metrics.predictions import VALIDATION_PREDICTIONS, read_weights
from trainables.training.batches import TrainingBatches
from trainables.training.evaluation import predict
from trainables.training.loop import TrialRun
from trainables.training.loss_weights import class_weights, loss_weights
from trainables.training.trial_outputs import write_validation_predictions

CLASSES, COUNT = 4, 120
RNG = np.random.default_rng(0)
LABELS = RNG.choice(CLASSES, COUNT, p=(0.6, 0.2, 0.15, 0.05))
OWN = RNG.exponential(size=COUNT).astype(np.float32) * (RNG.random(COUNT) > 0.1)
LOGITS = torch.randn(COUNT, CLASSES, generator=torch.Generator().manual_seed(1))
ALL = np.arange(COUNT)


def batches(weights=OWN, balance="none", smoothing=0.0):
    data = InMemoryLoader(labels=torch.from_numpy(LABELS), inputs=torch.zeros(COUNT, CLASSES))
    config = TrialConfig(balance=balance, label_smoothing=smoothing)
    return TrainingBatches(config, data, ALL, None, weights)


def batch_of(rows):
    draws = np.zeros((len(rows), 13), np.float32)
    return PlannedBatch(rows, np.roll(rows, 1), draws, draws, len(rows), 1.0, (0.0,) * 4)


def mean_loss(found, share=1.0):
    return found.loss(LOGITS, batch_of(ALL), slice(None), share).item() / COUNT


def test_an_epochs_loss_is_scikit_learns_weighted_log_loss():
    expected = log_loss(LABELS, LOGITS.softmax(dim=1).numpy(), labels=range(CLASSES), sample_weight=OWN)
    assert mean_loss(batches()) == pytest.approx(expected, rel=1e-5)
    assert mean_loss(batches(1000 * OWN)) == pytest.approx(expected, rel=1e-5), "proportions count alone"
    assert mean_loss(batches(None)) != pytest.approx(expected, rel=0.01)


def test_equal_weights_change_nothing():
    same = np.full(COUNT, 3.0, np.float32)
    for balance in ("none", "loss", "sampling"):
        assert mean_loss(batches(same, balance)) == pytest.approx(mean_loss(batches(None, balance)), rel=1e-6)


@pytest.mark.parametrize("balance", ["loss", "sampling"])
def test_balanced_classes_have_equal_shares_divided_by_the_images_own_weights(balance):
    labels, own = torch.from_numpy(LABELS), torch.from_numpy(OWN)
    found = loss_weights(labels, balance, own)
    drawn = class_weights(labels)[labels] if balance == "sampling" else torch.ones(COUNT)
    shares = torch.bincount(labels, weights=(found * drawn).double())
    assert shares.numpy() == pytest.approx(np.full(CLASSES, COUNT / CLASSES), rel=1e-5)
    first = LABELS == 0
    assert found[first].numpy() / OWN[first].clip(1e-9) == pytest.approx(
        np.where(OWN[first] > 0, (found[first][OWN[first] > 0] / own[first][OWN[first] > 0])[0].item(), 0.0), rel=1e-5
    )


def test_mixtures_weigh_each_label_by_its_own_image():
    share, smoothing = 0.3, 0.1
    each = [
        torch.nn.functional.cross_entropy(LOGITS, torch.from_numpy(labels), reduction="none", label_smoothing=smoothing)
        for labels in (LABELS, np.roll(LABELS, 1))
    ]
    weights = torch.from_numpy(OWN / OWN.mean())
    expected = share * (each[0] * weights).mean() + (1 - share) * (each[1] * weights.roll(1)).mean()
    assert mean_loss(batches(smoothing=smoothing), share) == pytest.approx(expected.item(), rel=1e-4)
    distilled = batches().sum_weighted(torch.ones(COUNT), batch_of(ALL), slice(None), share)
    assert distilled.item() == pytest.approx(COUNT, rel=1e-5)


@pytest.mark.parametrize("world", [1, 2, 3])
def test_workers_losses_add_up_to_that_of_one(world):
    found = batches()
    plans = [list(epoch_plan(COUNT, 32, 3, 0, Mixing(), (rank, world))) for rank in range(world)]
    sums = [found.loss(LOGITS[batch.rows], batch, slice(None), 1.0).item() for plan in plans for batch in plan]
    assert sum(sums) == pytest.approx(COUNT * mean_loss(found), rel=1e-5)


def test_weights_are_those_of_the_trials_own_rows():
    rows = ALL[20:70]
    found = replace(batches(), rows=rows)
    assert found.weights.numpy() == pytest.approx(OWN[rows] / OWN[rows].mean(), rel=1e-5)


@pytest.mark.usefixtures("one_thread_fp32")
def test_a_trial_is_scored_with_weights_only_where_that_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("SEARCHSPACE_CACHE", str(tmp_path / "cache"))
    names = image_names(60)
    make_images(tmp_path / "set", names)
    rows = [f"{name},{label},{place % 5}" for place, (name, label) in enumerate(labels_of(names).items())]
    (tmp_path / "set" / "labels.csv").write_text("\n".join(["image,label,w", *rows]))
    data = prepare_data(str(tmp_path / "set" / "labels.csv"), options=DataOptions(weight_column="w"))
    place = place_of(data)
    assert set(place.store.weights.tolist()) == {0.0, 1.0, 2.0, 3.0, 4.0}
    rows = place.store.rows("val")
    for weighted, weights in ((False, None), (True, place.store.weights[rows])):
        task = Assignment(
            trial="t", kind="search", config=NETWORKS["convnet"], seed=1, max_epochs=1, weighted=weighted,
            folder=str(tmp_path / str(weighted)),
        )  # fmt: skip
        run = TrialRun(task, place)
        report, said = run.train_epoch(), predict(run.averaged, run.evaluation_inputs(), rows)
        assert report.score == pytest.approx(compute_score("accuracy", said, place.store.labels[rows], weights))
        assert report.val_loss == pytest.approx(-compute_score("log_loss", said, place.store.labels[rows], weights))
        write_validation_predictions(tmp_path, run)
        found = read_weights(tmp_path, VALIDATION_PREDICTIONS)
        assert (found is None) == (not weighted)
        assert not weighted or np.array_equal(found, weights)


def test_weights_that_are_all_zero_are_refused():
    with pytest.raises(ValueError, match="all training images have weight 0"):
        mean_loss(batches(np.zeros(COUNT, np.float32)))
