"""Influence functions: their variance is what resampling images finds."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score

from trainables.metrics.class_counts import confusion_matrix
from trainables.metrics.intervals import cell_influence, image_influence
from trainables.metrics.metric_registry import METRICS, compute_score


def guessed(rng, count, classes=3, skill=1.5):
    labels = np.concatenate([np.arange(classes), rng.choice(classes, count - classes, p=[0.7, 0.2, 0.1])])
    logits = rng.normal(size=(count, classes)) + skill * np.eye(classes)[labels]
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), labels


@pytest.mark.parametrize("metric", METRICS)
def test_variance_is_that_of_images_drawn_with_replacement(metric):
    rng = np.random.default_rng(0)
    probabilities, labels = guessed(rng, 500)
    influence = image_influence(metric, probabilities, labels)
    assert influence.mean() == pytest.approx(0, abs=1e-7 if METRICS[metric].gradient is None else 1e-12)
    draws = rng.integers(500, size=(1_000, 500))
    drawn = [compute_score(metric, probabilities[row], labels[row]) for row in draws]
    assert np.sqrt(influence.var() / 500) == pytest.approx(np.std(drawn), rel=0.07)


@pytest.mark.parametrize("metric", METRICS)
def test_one_more_image_moves_the_score_by_its_influence(metric):
    probabilities, labels = guessed(np.random.default_rng(1), 400)
    influence = image_influence(metric, probabilities, labels)
    before = compute_score(metric, probabilities, labels)
    for place in range(10):
        rows = np.append(np.arange(400), place)
        moved = compute_score(metric, probabilities[rows], labels[rows]) - before
        assert moved == pytest.approx(influence[place] / 400, rel=0.05, abs=1e-6)


def test_a_class_without_images_is_left_out_as_in_the_score():
    rng = np.random.default_rng(2)
    labels, predicted = rng.integers(3, size=200), rng.integers(4, size=200)
    counts = confusion_matrix(labels, predicted, 4)
    weights = counts / counts.sum()
    for metric in METRICS.values():
        cells = cell_influence(metric, counts)
        assert np.isfinite(cells).all()
        assert (weights * cells).sum() == pytest.approx(0, abs=1e-7 if metric.gradient is None else 1e-12)
    present = np.unique(labels)
    assert compute_score("f1_macro", np.eye(4)[predicted], labels) == pytest.approx(
        f1_score(labels, predicted, average="macro", labels=present)
    )
    with pytest.warns(UserWarning, match="y_pred contains classes not in y_true"):
        expected = balanced_accuracy_score(labels, predicted)
    assert compute_score("balanced_accuracy", np.eye(4)[predicted], labels) == pytest.approx(expected)
