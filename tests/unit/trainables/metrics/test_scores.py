"""Scores, against scikit-learn on random and degenerate answers; sums of shards are the whole's."""

from typing import get_args

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, log_loss

from searchspace.finals import formatting
from trainables.config import EpochReport
from trainables.metrics.class_metrics import measure
from trainables.metrics.scores import METRICS, MetricName, Tally, score_of
from trainables.training.device import set_precision
from trainables.training.evaluation import Inputs, evaluate
from trainables.workers.process_group import Group

SCIKIT = {
    "accuracy": lambda labels, p: accuracy_score(labels, p.argmax(axis=1)),
    "balanced_accuracy": lambda labels, p: balanced_accuracy_score(labels, p.argmax(axis=1)),
    "f1_macro": lambda labels, p: f1_score(labels, p.argmax(axis=1), average="macro", labels=np.unique(labels)),
    "log_loss": lambda labels, p: -log_loss(labels, p, labels=range(p.shape[1])),
}


def guessed(labels, classes, skill=1.5, seed=0):
    """Probabilities that are right more often than not."""
    logits = np.random.default_rng(seed).normal(size=(len(labels), classes)) + skill * np.eye(classes)[labels]
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def drawn(count, classes, seed=0):
    return np.random.default_rng(seed).choice(
        classes, count, p=np.geomspace(1, 0.02, classes) / np.geomspace(1, 0.02, classes).sum()
    )


ANSWERS = {
    "unbalanced": (drawn(700, 7), guessed(drawn(700, 7), 7)),
    "classes that never occur": (drawn(200, 5), guessed(drawn(200, 5), 9)),
    "one class": (np.full(30, 2), guessed(np.full(30, 2), 4)),
    "one image": (np.array([1]), np.array([[0.7, 0.2, 0.1]])),
    "all called the same": (drawn(100, 4), np.tile([0.1, 0.6, 0.2, 0.1], (100, 1))),
    "nothing right": (np.arange(60) % 3, np.eye(3)[(np.arange(60) + 1) % 3] * 0.97 + 0.01),
    "everything right": (np.arange(60) % 3, np.eye(3)[np.arange(60) % 3] * 0.97 + 0.01),
}  # fmt: skip


def test_every_metric_has_a_name_and_a_summary():
    assert tuple(METRICS) == get_args(MetricName)
    assert all(metric.words and metric.summary for metric in METRICS.values())


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true", "ignore:A single label was found")
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("case", ANSWERS)
def test_scores_are_scikit_learns(case, metric):
    labels, probabilities = ANSWERS[case]
    assert score_of(metric, probabilities, labels) == pytest.approx(SCIKIT[metric](labels, probabilities), abs=1e-12)


def test_a_class_that_is_never_found_weighs_as_much_as_one_that_always_is():
    labels = np.array([0] * 95 + [1] * 5)
    probabilities = np.tile([0.9, 0.1], (100, 1))
    assert score_of("accuracy", probabilities, labels) == 0.95
    assert score_of("balanced_accuracy", probabilities, labels) == 0.5
    assert score_of("f1_macro", probabilities, labels) == pytest.approx((2 * 95 / 195) / 2)


def test_a_probability_of_nothing_costs_a_finite_loss():
    assert score_of("log_loss", np.array([[1.0, 0.0]], np.float32), np.array([1])) == pytest.approx(np.log(1e-12))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("case", ANSWERS)
def test_recorded_test_metrics_give_the_same_score(case, metric):
    labels, probabilities = ANSWERS[case]
    found = measure(probabilities, labels, tuple("abcdefghi")[: probabilities.shape[1]])
    score, low, high = formatting.score_with_interval(metric, found)
    assert score == pytest.approx(score_of(metric, probabilities, labels))
    assert low <= score + 1e-9
    assert score - 1e-9 <= high
    assert found.recall_macro == pytest.approx(score_of("balanced_accuracy", probabilities, labels))
    assert found.f1_macro == pytest.approx(score_of("f1_macro", probabilities, labels))


class Answering(torch.nn.Module):
    """A network whose inputs are its logits."""

    def forward(self, logits):
        return logits


class Shard(Group):
    """A worker that adds what it has to a list of what all have; the last one gets the sum."""

    shares: list

    def sum(self, values):
        self.shares.append(values)
        return torch.stack(self.shares).sum(dim=0)


@pytest.mark.parametrize("world", [1, 2, 5])
def test_sums_of_uneven_shards_give_what_the_whole_gives(world):
    set_precision("fp32")
    labels = drawn(103, 6)
    probabilities = guessed(labels, 6)
    logits, targets = torch.from_numpy(np.log(probabilities)).float(), torch.from_numpy(labels)
    inputs = Inputs(lambda rows: logits[rows], lambda rows: targets[rows], chunk=8, classes=6)
    shares: list[torch.Tensor] = []
    for rank in range(world):
        shard = Shard(rank, world, torch.device("cpu"))
        object.__setattr__(shard, "shares", shares)
        tally = evaluate(Answering(), inputs, np.arange(103), shard)
    set_precision("auto")
    whole = Tally.of(probabilities, labels)
    for name in ("own", "called", "found"):
        assert np.array_equal(getattr(tally, name), getattr(whole, name)), name
    assert tally.loss == pytest.approx(whole.loss, rel=1e-5)
    for metric in METRICS:
        report = tally.report(metric)
        assert report["score"] == pytest.approx(score_of(metric, probabilities, labels), rel=1e-5)
        assert report["accuracy"] == accuracy_score(labels, probabilities.argmax(axis=1))
        assert report["val_loss"] == pytest.approx(log_loss(labels, probabilities), rel=1e-5)


@pytest.mark.parametrize("metric", METRICS)
def test_the_better_score_has_the_higher_merit_whatever_the_loss(metric):
    """Swapping one image of a class of 900 for one of a class of 1,000 must not be undone by the loss."""
    worse = np.array([[1000, 0], [450, 450]])
    better = np.array([[999, 1], [449, 451]])
    losses = (9.0, 0.5) if metric != "log_loss" else (0.5, 9.0)
    tallies = [
        Tally(counts.sum(axis=1), counts.sum(axis=0), np.diag(counts), loss * counts.sum())
        for counts, loss in zip((better, worse), losses, strict=True)
    ]
    scores = [tally.report(metric)["score"] for tally in tallies]
    values = [
        EpochReport(trial="t", epoch=1, score=score, val_loss=loss).objective_value
        for score, loss in zip(scores, losses, strict=True)
    ]
    if metric == "accuracy":
        assert scores[0] == scores[1]
        assert values[0] < values[1], "equal scores: the lower loss"
    else:
        assert scores[0] > scores[1]
        assert values[0] > values[1]
