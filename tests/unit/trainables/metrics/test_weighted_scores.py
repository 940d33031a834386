"""Scores that weigh images: scikit-learn's with `sample_weight`, as workers' sums, with intervals and influences."""

import numpy as np
import pytest
import torch
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    f1_score,
    log_loss,
    matthews_corrcoef,
    precision_recall_fscore_support,
    top_k_accuracy_score,
)

from searchspace.finals.baseline import majority_score
from searchspace.finals.comparison import compare
from searchspace.finals.select_winner import FinalistPredictions, select_winner
from trainables.metrics.class_counts import ClassCounts, effective_weights
from trainables.metrics.class_metrics import measure_test_metrics
from trainables.metrics.intervals import image_influence, score_interval
from trainables.metrics.metric_registry import METRICS, compute_score
from trainables.training.evaluation import EvaluationInputs, evaluate
from trainables.workers.worker_context import ProcessGroup

CLASSES, COUNT = 12, 400
RNG = np.random.default_rng(0)
LABELS = RNG.choice(CLASSES, COUNT, p=np.geomspace(1, 0.05, CLASSES) / np.geomspace(1, 0.05, CLASSES).sum())
LOGITS = RNG.normal(size=(COUNT, CLASSES)) + 2.0 * np.eye(CLASSES)[LABELS]
SAID = (np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)).astype(np.float64)
WEIGHTS = (RNG.exponential(size=COUNT) * (RNG.random(COUNT) > 0.2)).astype(np.float32)
CALLED = SAID.argmax(axis=1)
SCIKIT = {
    "accuracy": lambda w: accuracy_score(LABELS, CALLED, sample_weight=w),
    "balanced_accuracy": lambda w: balanced_accuracy_score(LABELS, CALLED, sample_weight=w),
    "f1_macro": lambda w: f1_score(LABELS, CALLED, average="macro", labels=np.unique(LABELS), sample_weight=w),
    "mcc": lambda w: matthews_corrcoef(LABELS, CALLED, sample_weight=w),
    "log_loss": lambda w: -log_loss(LABELS, SAID, labels=range(CLASSES), sample_weight=w),
}


@pytest.mark.parametrize("metric", SCIKIT)
def test_weighted_scores_are_scikit_learns(metric):
    found = compute_score(metric, SAID, LABELS, WEIGHTS)
    assert found == pytest.approx(SCIKIT[metric](WEIGHTS.astype(np.float64)), abs=1e-6)
    assert found != pytest.approx(compute_score(metric, SAID, LABELS), abs=1e-4)
    assert compute_score(metric, SAID, LABELS, 7 * WEIGHTS) == pytest.approx(found, abs=1e-6)


@pytest.mark.parametrize("metric", SCIKIT)
def test_a_weight_of_two_is_an_image_twice_and_of_zero_none(metric):
    twice = np.concatenate([np.arange(COUNT), np.arange(50)])
    weights = np.ones(COUNT)
    weights[:50] = 2
    kept = twice[twice < 300]
    weights[300:] = 0
    assert compute_score(metric, SAID, LABELS, weights) == pytest.approx(
        compute_score(metric, SAID[kept], LABELS[kept])
    )


@pytest.mark.parametrize("metric", METRICS)
def test_equal_weights_change_neither_interval_nor_influence(metric):
    same = np.full(COUNT, 3.0)
    assert score_interval(metric, SAID, LABELS, same) == pytest.approx(score_interval(metric, SAID, LABELS), abs=1e-9)
    plain = image_influence(metric, SAID, LABELS)
    assert image_influence(metric, SAID, LABELS, same) == pytest.approx(plain, abs=1e-6)


@pytest.mark.parametrize("metric", METRICS)
def test_unequal_weights_leave_less_certain_and_influences_add_up_to_nothing(metric):
    low, high = score_interval(metric, SAID, LABELS, WEIGHTS)
    plain_low, plain_high = score_interval(metric, SAID, LABELS)
    assert low <= compute_score(metric, SAID, LABELS, WEIGHTS) <= high
    assert high - low > plain_high - plain_low
    influence = image_influence(metric, SAID, LABELS, WEIGHTS)
    assert influence.mean() == pytest.approx(0, abs=1e-6)
    assert not influence[WEIGHTS == 0].any()


def test_effective_weights_are_kishs():
    assert effective_weights(np.ones(9)).sum() == pytest.approx(9)
    assert effective_weights(np.array([1.0, 0, 0])).sum() == pytest.approx(1)
    assert effective_weights(np.array([5.0, 5, 0])).sum() == pytest.approx(2)


@pytest.mark.parametrize("world", [1, 3])
def test_workers_weighted_sums_are_the_wholes(world):
    logits, labels = torch.from_numpy(LOGITS).float(), torch.from_numpy(LABELS)
    weights = torch.from_numpy(WEIGHTS).double()

    class Answering(torch.nn.Module):
        def forward(self, inputs):
            return inputs

    inputs = EvaluationInputs(
        lambda rows: logits[rows], lambda rows: labels[rows], 32, CLASSES, lambda rows: weights[rows]
    )
    alone = ProcessGroup(0, 1, torch.device("cpu"))
    parts = [evaluate(Answering(), inputs, np.arange(COUNT)[rank::world], alone) for rank in range(world)]
    whole = ClassCounts.of(SAID, LABELS, WEIGHTS)
    for name in ("true", "predicted", "correct", "loss"):
        assert sum(getattr(part, name) for part in parts) == pytest.approx(getattr(whole, name), rel=1e-4)


def test_test_metrics_weigh_all_but_counts():
    names, wide = tuple(map(str, range(CLASSES))), WEIGHTS.astype(np.float64)
    found, plain = measure_test_metrics(SAID, LABELS, names, WEIGHTS), measure_test_metrics(SAID, LABELS, names)
    assert (found.weighted, plain.weighted) == (True, False)
    assert found.count == plain.count == COUNT
    assert found.confusion == plain.confusion
    assert [each.count for each in found.classes] == [each.count for each in plain.classes]
    for metric, formula in SCIKIT.items():
        assert found.score(metric).score == pytest.approx(formula(wide), abs=1e-6)
    assert found.accuracy == pytest.approx(SCIKIT["accuracy"](wide))
    assert found.accuracy_low < found.accuracy < found.accuracy_high
    assert found.log_loss == pytest.approx(-SCIKIT["log_loss"](wide), abs=1e-6)
    assert found.top5 == pytest.approx(
        top_k_accuracy_score(LABELS, SAID, k=5, labels=range(CLASSES), sample_weight=wide)
    )
    recall = precision_recall_fscore_support(LABELS, CALLED, labels=range(CLASSES), sample_weight=wide)[1]
    assert [each.recall for each in found.classes] == pytest.approx(recall.tolist())


def test_finals_select_and_compare_by_weighted_scores():
    """The second is right where it counts, the first more often."""
    labels, weights = np.arange(40) % 2, np.where(np.arange(40) < 10, 10.0, 1.0)
    right, wrong = np.eye(2)[labels] * 0.8 + 0.1, np.eye(2)[1 - labels] * 0.8 + 0.1
    often = np.where(np.arange(40)[:, None] >= 10, right, wrong)
    where_it_counts = np.where(np.arange(40)[:, None] < 15, right, wrong)

    def contender(number, answers):
        return FinalistPredictions((number,), None, True, {0: answers, 1: answers}, 0, 1.0)

    both = [contender(0, often), contender(1, where_it_counts)]
    assert select_winner("accuracy", both, labels)[0].members == (0,)
    first, second = select_winner("accuracy", both, labels, weights=weights)
    assert first.members == (1,)
    assert first.score == pytest.approx(105 / 130)
    assert second.comparison.difference == pytest.approx((105 - 30) / 130)
    even = compare("accuracy", [often, often], [where_it_counts] * 2, labels, weights=np.ones(40))
    assert even == compare("accuracy", [often, often], [where_it_counts] * 2, labels)
    assert majority_score("accuracy", np.array([0, 0, 1]), 2, np.array([1.0, 1.0, 5.0])) == pytest.approx(5 / 7)
