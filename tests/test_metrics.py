"""Test metrics, against scikit-learn and by hand."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, log_loss, top_k_accuracy_score

from trainables.metrics import bootstrap_interval, calibration_error, measure


@pytest.fixture
def guesses():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 12, 500)
    logits = rng.normal(size=(500, 12)) + 2.5 * np.eye(12)[labels]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return probabilities, labels


def test_metrics_are_scikit_learns(guesses):
    probabilities, labels = guesses
    found = measure(probabilities, labels, tuple("abcdefghijkl"), seed=0)
    predicted = probabilities.argmax(axis=1)
    assert found.accuracy == accuracy_score(labels, predicted)
    assert found.f1_macro == pytest.approx(f1_score(labels, predicted, average="macro"))
    assert found.f1_weighted == pytest.approx(f1_score(labels, predicted, average="weighted"))
    assert found.log_loss == pytest.approx(log_loss(labels, probabilities))
    assert found.top5 == pytest.approx(top_k_accuracy_score(labels, probabilities, k=5))
    assert np.sum(found.confusion) == 500
    assert np.trace(found.confusion) == round(found.accuracy * 500)


def test_top5_of_few_classes_is_not_given(guesses):
    probabilities, labels = guesses
    few = probabilities[:, :4] / probabilities[:, :4].sum(axis=1, keepdims=True)
    assert measure(few[labels < 4], labels[labels < 4], tuple("abcd"), seed=0).top5 is None


def test_a_class_never_predicted_counts_as_zero():
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2]])
    found = measure(probabilities, np.array([0, 1]), ("a", "b"), seed=0)
    assert found.classes[1].recall == 0.0
    assert found.recall_macro == 0.5


def test_the_interval_covers_the_true_rate_about_19_times_in_20():
    rng = np.random.default_rng(1)
    intervals = [bootstrap_interval(rng.random(400) < 0.8, seed) for seed in range(300)]
    covered = np.mean([low <= 0.8 <= high for low, high in intervals])
    assert 0.90 <= covered <= 0.99


def test_calibration_error_by_hand():
    probabilities = np.array([[0.9, 0.1]] * 10)
    right = np.array([True] * 6 + [False] * 4)
    assert calibration_error(probabilities, right) == pytest.approx(0.3)
    assert calibration_error(np.array([[0.6, 0.4]] * 10), right) == pytest.approx(0.0)
