"""Test metrics, against scikit-learn and by hand."""

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.metrics import accuracy_score, f1_score, log_loss, matthews_corrcoef, top_k_accuracy_score

from trainables.metrics.class_metrics import EARLIER_METHOD, TestMetrics, calibration_error, measure_test_metrics
from trainables.metrics.intervals import share_interval
from trainables.metrics.metric_registry import METRICS, compute_score


@pytest.fixture
def guesses():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 12, 500)
    logits = rng.normal(size=(500, 12)) + 2.5 * np.eye(12)[labels]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return probabilities, labels


def test_metrics_are_scikit_learns(guesses):
    probabilities, labels = guesses
    found = measure_test_metrics(probabilities, labels, tuple("abcdefghijkl"))
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
    assert measure_test_metrics(few[labels < 4], labels[labels < 4], tuple("abcd")).top5 is None


def test_a_class_never_predicted_counts_as_zero():
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2]])
    found = measure_test_metrics(probabilities, np.array([0, 1]), ("a", "b"))
    assert found.classes[1].recall == 0.0
    assert found.recall_macro == 0.5


def test_every_score_has_an_interval_with_its_method(guesses):
    probabilities, labels = guesses
    found = measure_test_metrics(probabilities, labels, tuple("abcdefghijkl"))
    assert (found.accuracy_low, found.accuracy_high) == share_interval(round(500 * found.accuracy), 500)
    assert {metric: found.method(metric) for metric in METRICS} == {m: METRICS[m].interval for m in METRICS}
    for metric, entry in METRICS.items():
        score = found.score(metric)
        assert score.score == compute_score(metric, probabilities, labels)
        assert entry.bounds[0] <= score.low < score.score < score.high <= entry.bounds[1]
    assert found.top5_interval[0] < found.top5 < found.top5_interval[1]
    for entry in found.classes:
        for value, (low, high) in (
            (entry.precision, entry.precision_interval),
            (entry.recall, entry.recall_interval),
            (entry.f1, entry.f1_interval),
        ):
            assert 0 <= low < value < high <= 1


def test_every_metric_is_among_the_figures_once(guesses):
    probabilities, labels = guesses
    found = measure_test_metrics(probabilities, labels, tuple("abcdefghijkl"))
    assert found.figures["mcc"] == pytest.approx(matthews_corrcoef(labels, probabilities.argmax(axis=1)))
    assert found.figures["recall_macro"] == found.recall_macro
    assert "balanced_accuracy" not in found.figures, "which is that"


def test_a_record_without_images_is_refused(guesses):
    probabilities, labels = guesses
    record = measure_test_metrics(probabilities, labels, tuple("abcdefghijkl")).model_dump()
    with pytest.raises(ValidationError, match="has no images"):
        TestMetrics.model_validate(record | {"confusion": [[0] * 12] * 12})


def test_an_older_record_says_that_it_was_a_bootstrap(guesses):
    probabilities, labels = guesses
    record = measure_test_metrics(probabilities, labels, tuple("abcdefghijkl")).model_dump()
    of_today = TestMetrics.model_validate(record)
    del record["methods"], record["scores"]
    for entry in record["classes"]:
        for name in ("precision_interval", "recall_interval", "f1_interval"):
            del entry[name]
    older = TestMetrics.model_validate(record)
    assert older.method("accuracy") == EARLIER_METHOD
    assert older.classes[0].recall_interval is None
    for metric in METRICS:
        found, expected = older.score(metric), of_today.score(metric)
        assert found.model_dump() == pytest.approx(expected.model_dump(), abs=1e-12), "computed from what it has"
    assert older.method("mcc") == METRICS["mcc"].interval


def test_calibration_error_by_hand():
    probabilities = np.array([[0.9, 0.1]] * 10)
    right = np.array([True] * 6 + [False] * 4)
    assert calibration_error(probabilities, right) == pytest.approx(0.3)
    assert calibration_error(np.array([[0.6, 0.4]] * 10), right) == pytest.approx(0.0)
