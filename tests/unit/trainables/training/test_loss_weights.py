"""Images' own weights in the loss: with scikit-learn's, with balanced classes, mixtures, smoothing and workers."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss

from trainables.config import TrialConfig
from trainables.data.loading.epoch_plan import Mixing, PlannedBatch, epoch_plan
from trainables.data.loading.input_loader import InMemoryLoader
from trainables.training.batches import TrainingBatches
from trainables.training.loss_weights import class_weights, loss_weights

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
    return PlannedBatch(rows, np.roll(rows, 1), np.zeros((len(rows), 13), np.float32), len(rows), 1.0, (0.0,) * 4)


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


def test_weights_that_are_all_zero_are_refused():
    with pytest.raises(ValueError, match="all training images have weight 0"):
        mean_loss(batches(np.zeros(COUNT, np.float32)))
