"""Scores, against scikit-learn on random and degenerate answers; sums of shards are the whole's."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, log_loss, matthews_corrcoef

from searchspace.finals import formatting
from trainables.config import Assignment, EpochReport, TrialConfig
from trainables.metrics.class_counts import ClassCounts
from trainables.metrics.class_metrics import measure_test_metrics
from trainables.metrics.metric import numeric_gradient
from trainables.metrics.metric_registry import METRICS, compute_score, report_scores
from trainables.training.device import set_precision
from trainables.training.evaluation import EvaluationInputs, evaluate
from trainables.workers.worker_context import ProcessGroup

SCIKIT = {
    "accuracy": lambda labels, p: accuracy_score(labels, p.argmax(axis=1)),
    "balanced_accuracy": lambda labels, p: balanced_accuracy_score(labels, p.argmax(axis=1)),
    "f1_macro": lambda labels, p: f1_score(labels, p.argmax(axis=1), average="macro", labels=np.unique(labels)),
    "mcc": lambda labels, p: matthews_corrcoef(labels, p.argmax(axis=1)),
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


ADVICE = "trainables/metrics/metric_registry.py, metric {!r}: {}"


@pytest.mark.parametrize("name", METRICS)
def test_an_entry_of_the_registry_is_whole(name):
    """Says what is missing or wrong about an entry, whether it was just added or is old."""
    metric, (low, high) = METRICS[name], METRICS[name].bounds
    assert name in SCIKIT, ADVICE.format(
        name, "give its formula in scikit-learn, or an own one, in SCIKIT of this test"
    )
    assert metric.label, ADVICE.format(name, "`label` is empty; say its name in a line of text")
    assert metric.summary, ADVICE.format(name, "`summary` is empty; say in one line what it is")
    assert low < high, ADVICE.format(name, "`bounds` are lowest and highest score")
    assert metric.interval == "Hall" or np.isfinite(metric.span), ADVICE.format(
        name, "a score without bounds has no interval by default; give finite `bounds`, or another `interval`"
    )
    assert metric.interval != "Hall" or name == "log_loss", ADVICE.format(
        name, "Hall's interval is that of the log loss; leave `interval` out, or extend `score_interval`"
    )
    assert metric.unit != "%" or (low, high) == (0, 1), ADVICE.format(
        name, "a score that is no share from 0 to 1 is not shown in percent; give `unit`"
    )
    others = {alias for other in METRICS for alias in METRICS[other].aliases if other != name}
    assert not {*metric.aliases} & {*METRICS, *others}, ADVICE.format(name, "an alias is another metric's name")
    types = [entry.hub_type or other for other, entry in METRICS.items()]
    assert types.count(metric.hub_type or name) == 1, ADVICE.format(name, "`hub_type` is another metric's too")


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("case", ["unbalanced", "classes that never occur"])
def test_a_formula_is_bounded_and_of_degree_zero_and_its_gradient_is_its_derivative(case, name):
    metric, (labels, probabilities) = METRICS[name], ANSWERS[case]
    counts = ClassCounts.of(probabilities, labels)
    score = metric.compute(counts)
    assert metric.bounds[0] <= score <= metric.bounds[1], ADVICE.format(name, f"{score} is outside of `bounds`")
    tripled = ClassCounts(3 * counts.true, 3 * counts.predicted, 3 * counts.correct, 3 * counts.loss)
    assert metric.compute(tripled) == pytest.approx(score), ADVICE.format(
        name, "three times the counts give another score; divide by a sum of counts"
    )
    numeric = numeric_gradient(metric.compute, counts)
    for field, derivative in metric.differentiate(counts)._asdict().items():
        there = slice(None) if field == "predicted" else counts.true > 0
        found, expected = (
            np.atleast_1d(of)[there if np.ndim(of) else ...] for of in (derivative, getattr(numeric, field))
        )
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-9), ADVICE.format(
            name, f"`gradient` is wrong in `{field}`; leave it out, and it is computed numerically"
        )


def test_names_are_checked_against_the_registry():
    assert Assignment(trial="t", kind="search", config=TrialConfig(), seed=0, max_epochs=1, folder="f", metric="mcc")
    with pytest.raises(ValidationError, match="not one of accuracy, balanced_accuracy"):
        Assignment(trial="t", kind="search", config=TrialConfig(), seed=0, max_epochs=1, folder="f", metric="bleu")


@pytest.mark.parametrize(
    ("name", "score", "difference"),
    [("accuracy", "87.50%", "87.50 points"), ("mcc", "0.8750", "0.8750"), ("log_loss", "0.8750", "0.8750 nats")],
)
def test_a_score_is_shown_by_its_unit(name, score, difference):
    assert formatting.format_score(name, 0.875) == score
    assert formatting.format_difference(name, 0.875) == difference


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true", "ignore:A single label was found")
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("case", ANSWERS)
def test_scores_are_scikit_learns(case, metric):
    labels, probabilities = ANSWERS[case]
    assert compute_score(metric, probabilities, labels) == pytest.approx(
        SCIKIT[metric](labels, probabilities), abs=1e-12
    )


def test_a_class_that_is_never_found_weighs_as_much_as_one_that_always_is():
    labels = np.array([0] * 95 + [1] * 5)
    probabilities = np.tile([0.9, 0.1], (100, 1))
    assert compute_score("accuracy", probabilities, labels) == 0.95
    assert compute_score("balanced_accuracy", probabilities, labels) == 0.5
    assert compute_score("f1_macro", probabilities, labels) == pytest.approx((2 * 95 / 195) / 2)


def test_a_probability_of_nothing_costs_a_finite_loss():
    assert compute_score("log_loss", np.array([[1.0, 0.0]], np.float32), np.array([1])) == pytest.approx(np.log(1e-12))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("case", ANSWERS)
def test_recorded_test_metrics_give_the_same_score(case, metric):
    labels, probabilities = ANSWERS[case]
    found = measure_test_metrics(probabilities, labels, tuple("abcdefghi")[: probabilities.shape[1]])
    score, low, high = formatting.score_with_interval(metric, found)
    assert score == pytest.approx(compute_score(metric, probabilities, labels))
    assert low <= score + 1e-9
    assert score - 1e-9 <= high
    assert found.recall_macro == pytest.approx(compute_score("balanced_accuracy", probabilities, labels))
    assert found.f1_macro == pytest.approx(compute_score("f1_macro", probabilities, labels))


class Answering(torch.nn.Module):
    """A network whose inputs are its logits."""

    def forward(self, logits):
        return logits


class Shard(ProcessGroup):
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
    inputs = EvaluationInputs(lambda rows: logits[rows], lambda rows: targets[rows], chunk=8, classes=6)
    shares: list[torch.Tensor] = []
    for rank in range(world):
        shard = Shard(rank, world, torch.device("cpu"))
        object.__setattr__(shard, "shares", shares)
        tally = evaluate(Answering(), inputs, np.arange(103), shard)
    set_precision("auto")
    whole = ClassCounts.of(probabilities, labels)
    for name in ("true", "predicted", "correct"):
        assert np.array_equal(getattr(tally, name), getattr(whole, name)), name
    assert tally.loss == pytest.approx(whole.loss, rel=1e-5)
    for metric in METRICS:
        report = report_scores(metric, tally)
        assert report["score"] == pytest.approx(compute_score(metric, probabilities, labels), rel=1e-5)
        assert report["accuracy"] == accuracy_score(labels, probabilities.argmax(axis=1))
        assert report["val_loss"] == pytest.approx(log_loss(labels, probabilities), rel=1e-5)


@pytest.mark.parametrize("metric", METRICS)
def test_the_better_score_has_the_higher_merit_whatever_the_loss(metric):
    """Swapping one image of a class of 900 for one of a class of 1,000 must not be undone by the loss."""
    confusions = np.array([[999, 1], [449, 451]]), np.array([[1000, 0], [450, 450]])
    losses = (9.0, 0.5) if METRICS[metric].unit != "nats" else (0.5, 9.0)
    counts = [
        ClassCounts.of_confusion(confusion, loss * confusion.sum())
        for confusion, loss in zip(confusions, losses, strict=True)
    ]
    scores = [METRICS[metric].compute(each) for each in counts]
    values = [
        EpochReport(trial="t", epoch=1, score=score, val_loss=loss).objective_value
        for score, loss in zip(scores, losses, strict=True)
    ]
    if scores[0] == scores[1]:
        assert values[0] < values[1], "equal scores: the lower loss"
    else:
        assert (values[0] > values[1]) == (scores[0] > scores[1])
