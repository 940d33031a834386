"""Metrics of the user's own: what is declared, what is checked before a search, and what a record keeps."""

import json
import logging

import numpy as np
import pytest
from pydantic import ValidationError

from trainables.common.errors import UserError
from trainables.config import Assignment, TrialConfig
from trainables.custom.collect import collect
from trainables.custom.custom_metric import describe_metric, metric
from trainables.custom.register import add_descriptions, register, register_descriptions
from trainables.metrics.class_counts import ClassCounts
from trainables.metrics.class_metrics import TestMetrics, measure_test_metrics
from trainables.metrics.intervals import image_influence
from trainables.metrics.metric import Metric
from trainables.metrics.metric_registry import METRICS, compute_score

SOURCE = """
from trainables.custom.custom_metric import metric
from trainables.metrics.metric import Metric

@metric(label="Cohen's kappa", bounds=(-1.0, 1.0))
def kappa(counts):
    \"\"\"Agreement beyond chance.\"\"\"
    total = counts.true.sum()
    chance = float((counts.true * counts.predicted).sum() / total**2)
    return (counts.accuracy - chance) / (1 - chance) if chance < 1 else 0.0

def mean_recall(counts):
    present = counts.true > 0
    return (counts.correct[present] / counts.true[present]).mean()

def negated_error(counts):
    return counts.accuracy - 1

ERROR = Metric("negated error", "minus errors", negated_error, bounds=(-1, 0), unit="", is_negated=True)
NUMBER = 3
"""
NAMES = ("a", "b", "c")


@pytest.fixture
def code(tmp_path):
    (tmp_path / "my_metric.py").write_text(SOURCE)
    yield collect([("metric", f"{tmp_path}/my_metric.py:{name}") for name in ("kappa", "mean_recall", "ERROR")])
    register_descriptions(collect([]))


def answers():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, 90)
    probabilities = rng.dirichlet([1, 1, 1], 90) + 0.3 * np.eye(3)[labels]
    return probabilities / probabilities.sum(axis=1, keepdims=True), labels


def test_a_metric_scores_like_those_that_are_built_in(code):
    register(code)
    probabilities, labels = answers()
    assert compute_score("custom/my_metric.mean_recall", probabilities, labels) == pytest.approx(
        compute_score("balanced_accuracy", probabilities, labels)
    )
    measured = measure_test_metrics(probabilities, labels, NAMES)
    kappa = measured.score("custom/my_metric.kappa")
    assert -1 < kappa.low < kappa.score < kappa.high < 1
    assert image_influence("custom/my_metric.kappa", probabilities, labels).mean() == pytest.approx(0, abs=1e-6)
    assert (METRICS["custom/my_metric.kappa"].label, METRICS["custom/my_metric.kappa"].unit) == ("Cohen's kappa", "")
    assert METRICS["custom/my_metric.ERROR"].figure(-0.25) == 0.25


def test_a_record_has_what_tables_need_and_no_code_is_run(code):
    register(code)
    metrics = measure_test_metrics(*answers(), NAMES)
    kept = [json.loads(part.model_dump_json()) for part in code.parts]
    register_descriptions(type(code).model_validate({"parts": kept}))
    read = TestMetrics.model_validate_json(metrics.model_dump_json())
    entry = METRICS["custom/my_metric.kappa"]
    assert (
        entry.format(read.score("custom/my_metric.kappa").score)
        == f"{metrics.scores['custom/my_metric.kappa'].score:.4f}"
    )
    assert (entry.label, entry.summary, entry.span) == ("Cohen's kappa", "Agreement beyond chance.", 2.0)
    with pytest.raises(UserError, match="its code is not loaded here"):
        compute_score("custom/my_metric.kappa", *answers())


def test_descriptions_of_a_record_replace_nothing_and_print_nothing_odd(code):
    register_descriptions(collect([]))
    part = code.parts[0]
    with pytest.raises(ValidationError):
        type(part).model_validate(part.model_dump() | {"name": "accuracy"})
    for wrong in ({"label": "\x1b[2J"}, {"bounds": [0, float("inf")]}, {"unit": "points"}):
        odd = part.model_copy(update={"description": part.description | wrong})
        with pytest.raises(ValidationError):
            add_descriptions(code.model_copy(update={"parts": (odd,)}))
    assert METRICS["accuracy"].label == "accuracy"
    add_descriptions(code)
    assert METRICS[part.name].label == "Cohen's kappa"


def test_records_take_names_of_own_metrics():
    made = {"trial": "t", "kind": "search", "config": TrialConfig(), "seed": 0, "max_epochs": 1, "folder": "f"}
    assert Assignment(**made, metric="custom/my_metric.kappa").metric == "custom/my_metric.kappa"


def shifted(counts):
    return counts.accuracy + 1


WRONG = {
    "outside of bounds": (shifted, "is 1.* outside of its bounds, 0 to 1"),
    "depends on the number": (lambda counts: float(counts.correct.sum()) / 1e4, "three times as many"),
    "nan": (lambda counts: float((counts.correct / counts.true).mean()), "is nan for a class without images"),
    "raises": (lambda counts: counts.nothing, "raises AttributeError for random answers"),
    "no number": (lambda counts: counts.true / counts.true.sum(), "raises TypeError"),
    "an object": (3, "is a int; a metric is a function"),
    "endless bounds": (metric(bounds=(-np.inf, 0.0))(lambda counts: -counts.mean_loss), "both finite"),
    "a unit": (metric(unit="points")(lambda counts: counts.accuracy), "its unit is 'points'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_no_search_can_use_is_refused_in_one_line(case):
    found, message = WRONG[case]
    with pytest.raises(UserError, match=message) as caught:
        describe_metric(found)
    assert "\n" not in str(caught.value)


def test_the_error_names_the_option_and_the_reference(tmp_path):
    (tmp_path / "my_metric.py").write_text(SOURCE)
    reference = f"{tmp_path}/my_metric.py:NUMBER"
    with pytest.raises(UserError, match=f"^--metric '{reference}': is a int"):
        collect([("metric", reference)])


def test_a_score_that_falls_with_right_answers_is_warned_of(caplog):
    with caplog.at_level(logging.WARNING):
        describe_metric(lambda counts: 1 - counts.accuracy)
    assert "falls where one more image is classified right" in caplog.text
    caplog.clear()
    describe_metric(Metric("x", "y", ClassCounts.accuracy.fget))
    assert caplog.text == ""
