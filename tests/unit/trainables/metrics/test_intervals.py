"""Intervals: they cover the truth about 19 times in 20, and no error is never taken for certainty."""

import numpy as np
import pytest
from scipy.stats import binom

from trainables.metrics.intervals import (
    effective_count,
    f1_interval,
    hall,
    score_interval,
    share_interval,
    wilson_ends,
)
from trainables.metrics.metric_registry import METRICS, compute_score


@pytest.mark.parametrize("accuracy", [0.8, 0.95, 0.98, 0.995])
@pytest.mark.parametrize("images", [50, 270, 1000])
def test_wilson_covers_a_share_exactly_as_often_as_it_says(images, accuracy):
    right = np.arange(images + 1)
    low, high = wilson_ends(right / images, np.full(images + 1, images))
    covered = binom.pmf(right, images, accuracy)[(low <= accuracy) & (accuracy <= high)].sum()
    assert 0.92 <= covered <= 0.99


@pytest.mark.parametrize("images", [1, 7, 50, 1000])
def test_no_error_is_not_certainty(images):
    low, high = share_interval(images, images)
    assert (low, high) == (pytest.approx(images / (images + 1.959964**2)), 1.0)
    assert share_interval(0, images) == (0.0, pytest.approx(1 - low))
    labels = np.arange(images) % 2
    for metric in ("accuracy", "balanced_accuracy", "f1_macro", *(["mcc"] if images > 1 else [])):
        low, high = score_interval(metric, np.eye(2)[labels], labels)
        assert high == 1.0
        assert 0 < low < 1


def test_a_class_without_images_has_no_interval():
    assert share_interval(0, 0) is None
    assert f1_interval(0, 0, 0) is None
    low, high = f1_interval(found=0, own=3, called=0)
    assert low == 0
    assert 0.5 < high < 1


def population(rng, classes, accuracy, size=100_000):
    """Probabilities and labels of which about `accuracy` are right, a few images far harder than others."""
    labels = rng.integers(classes, size=size)
    noise, easiness = 1.5 * rng.normal(size=(size, classes)), 0.4 + np.abs(rng.normal(size=size))
    low, high = 0.0, 40.0
    for _ in range(25):
        skill = (low + high) / 2
        logits = noise + skill * easiness[:, None] * np.eye(classes)[labels]
        low, high = (skill, high) if (logits.argmax(axis=1) == labels).mean() < accuracy else (low, skill)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True), labels


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(("images", "classes", "accuracy"), [(270, 2, 0.98), (270, 10, 0.95), (270, 10, 0.995)])
def test_intervals_of_scores_cover_the_truth(metric, images, classes, accuracy):
    rng = np.random.default_rng(3)
    probabilities, labels = population(rng, classes, accuracy)
    truth = compute_score(metric, probabilities, labels)
    covered = 0
    for _ in range(200):
        rows = rng.integers(len(labels), size=images)
        low, high = score_interval(metric, probabilities[rows], labels[rows])
        assert low <= compute_score(metric, probabilities[rows], labels[rows]) <= high
        covered += low <= truth <= high
    assert covered / 200 >= (0.88 if metric == "log_loss" else 0.91)


def test_of_a_correlation_without_a_second_class_nothing_is_known():
    labels = np.zeros(20, int)
    assert score_interval("mcc", np.eye(2)[labels], labels) == pytest.approx((-1, 1), abs=1e-6)


def test_a_mean_over_classes_of_few_images_is_as_uncertain_as_those():
    even, uneven = np.diag([50.0, 50.0]), np.diag([95.0, 5.0])
    assert effective_count(METRICS["balanced_accuracy"], even) == pytest.approx(100, rel=0.05)
    assert 5 < effective_count(METRICS["balanced_accuracy"], uneven) < 4 / (1 / 95 + 1 / 5)


def test_the_interval_of_a_mean_of_skewed_values_is_skewed():
    values = np.array([0.01] * 95 + [3.0] * 5)
    low, high = hall(values)
    assert 0 < low < values.mean() < high
    assert high - values.mean() > 1.3 * (values.mean() - low)
    assert hall(np.array([0.5])) == (0.5, 0.5)
    symmetric = np.random.default_rng(0).normal(10, 1, 10_000)
    low, high = hall(symmetric)
    assert high - low == pytest.approx(2 * 1.96 / 100, rel=0.05)
