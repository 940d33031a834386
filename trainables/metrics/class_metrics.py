"""Test metrics from class probabilities, measured once on images that took no part in any choice."""

from collections.abc import Collection
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from trainables.config import Finite, Frozen
from trainables.metrics.class_counts import ClassCounts, Weights, effective_weights, true_log
from trainables.metrics.class_counts import confusion_matrix as weighted_confusion
from trainables.metrics.intervals import Ends, bounded_interval, f1_interval, score_interval, share_interval
from trainables.metrics.metric_registry import METRICS, MetricName, compute_score

TOP5_CLASSES = 11
"""Number of classes from which on top-5 accuracy is measured."""
CONFIDENCE_BINS = 15
"""Equal bins of confidence for the calibration error."""
EARLIER_METHOD = "percentile bootstrap"
"""Method of the intervals in records that do not name one."""
OWN_FIELDS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "recall_macro",
    "f1_macro": "f1_macro",
    "log_loss": "log_loss",
}
"""Field of `TestMetrics` that has a metric's figure, with `_low` and `_high` beside it, by metric; all others are in
`scores` alone."""


class ClassMetrics(Frozen):
    """One class against the rest."""

    name: str
    """Class name."""
    precision: float
    """Share of the images predicted as this class that are of it."""
    recall: float
    """Share of the images of this class that were predicted as it."""
    f1: float
    """Harmonic mean of the two."""
    count: int
    """Test images of this class."""
    precision_interval: Ends | None = None
    """95 % Wilson interval of the precision; None for a class never predicted, or in an older record."""
    recall_interval: Ends | None = None
    """95 % Wilson interval of the recall; None for a class without test images, or in an older record."""
    f1_interval: Ends | None = None
    """95 % Wilson interval of the F1; None for a class that neither occurs nor was predicted, or in an older record."""


class TestScore(Finite):
    """A score on the test split, higher is better, and its 95 % interval."""

    __test__ = False  # not a pytest class

    score: float
    """The score."""
    low: float
    """Lower end of the interval."""
    high: float
    """Upper end."""


class TestMetrics(Finite):
    """Everything measured on the test split; shares from 0 to 1."""

    __test__ = False  # not a pytest class

    count: int
    """Test images."""
    weighted: bool = False
    """Whether all figures but counts of images are weighted by the weight column."""
    accuracy: float
    """Share of images whose likeliest class is right."""
    accuracy_low: float
    """Lower end of its 95 % interval."""
    accuracy_high: float
    """Upper end."""
    top5: float | None
    """Share of images whose class is among the five likeliest; None for few classes."""
    precision_macro: float
    """Mean of the precisions of the classes that occur."""
    recall_macro: float
    """Mean of the recalls of the classes that occur (balanced accuracy)."""
    recall_macro_low: float
    """Lower end of its 95 % interval."""
    recall_macro_high: float
    """Upper end."""
    f1_macro: float
    """Mean of the F1 of the classes that occur."""
    f1_macro_low: float
    """Lower end of its 95 % interval."""
    f1_macro_high: float
    """Upper end."""
    precision_weighted: float
    """Mean of the classes' precisions, weighted by their images."""
    recall_weighted: float
    """Mean of the classes' recalls, weighted by their images."""
    f1_weighted: float
    """Mean of the classes' F1, weighted by their images."""
    log_loss: float
    """Mean cross-entropy, in nats."""
    log_loss_low: float
    """Lower end of its 95 % interval."""
    log_loss_high: float
    """Upper end."""
    calibration_error: float
    """Expected calibration error, 15 equal bins of confidence (arXiv:1706.04599)."""
    methods: dict[str, str] = Field(default_factory=dict)
    """Method of each score's 95 % interval, by metric; empty in an older record, whose was `EARLIER_METHOD`."""
    scores: dict[str, TestScore] = Field(default_factory=dict)
    """Each metric of the registry, by its name; empty in an older record."""
    classes: tuple[ClassMetrics, ...] = Field(min_length=2)
    """Each class, in label order."""
    confusion: tuple[tuple[Annotated[int, Field(ge=0, le=10**12)], ...], ...]
    """Images by true class (row) and predicted class (column)."""

    @model_validator(mode="after")
    def _square(self) -> Self:
        """Check that the confusion matrix is of the classes, and of some images."""
        if {len(self.classes)} != {len(self.confusion), *map(len, self.confusion)}:
            raise ValueError(f"confusion: is no square of {len(self.classes):,} classes")
        if not any(map(any, self.confusion)):
            raise ValueError("confusion: has no images")
        return self

    @property
    def figures(self) -> dict[str, float]:
        """Every number that was measured, by its field, or by the metric where it has no field of its own."""
        fields = {name: value for name, value in self if isinstance(value, int | float)}
        return fields | {name: each.score for name, each in self.scores.items() if name not in OWN_FIELDS}

    def method(self, metric: MetricName) -> str:
        """Name of the method of a score's interval, as in `95 % Wilson interval`."""
        return self.methods.get(metric, EARLIER_METHOD if metric in OWN_FIELDS else METRICS[metric].interval)

    def score(self, metric: MetricName) -> TestScore:
        """The score in `metric` and its interval; from the confusion matrix where the record has neither."""
        if metric in self.scores:
            return self.scores[metric]
        if field := OWN_FIELDS.get(metric):
            figure, *ends = (getattr(self, field + end) for end in ("", "_low", "_high"))
            low, high = METRICS[metric].figure_interval(*ends)
            return TestScore(score=METRICS[metric].figure(figure), low=low, high=high)
        confusion = np.array(self.confusion, np.float64)
        score = METRICS[metric].compute(ClassCounts.of_confusion(confusion, self.log_loss * self.count))
        low, high = bounded_interval(METRICS[metric], score, confusion)
        return TestScore(score=score, low=low, high=high)

    @property
    def top5_interval(self) -> Ends | None:
        """95 % Wilson interval of the top-5 accuracy; None for few classes."""
        return None if self.top5 is None else share_interval(round(self.top5 * self.count), self.count)


def measure_test_metrics(
    probabilities: NDArray[Any],
    labels: NDArray[np.int64],
    names: tuple[str, ...],
    weights: Weights = None,
    metrics: Collection[MetricName] | None = None,
) -> TestMetrics:
    """Metrics of `probabilities` (n, classes) against `labels` (n,) of images with `weights` (n,).

    `metrics` are those of the registry that are measured; None: all of them.
    """
    measured = METRICS if metrics is None else metrics
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    predicted = probabilities.argmax(axis=1)
    right = predicted == labels
    every = list(range(len(names)))
    options = {"labels": every, "zero_division": 0.0, "sample_weight": weights}
    precision, recall, f1, _ = precision_recall_fscore_support(labels, predicted, average=None, **options)
    there = {**options, "labels": np.unique(labels)}
    macro = precision_recall_fscore_support(labels, predicted, average="macro", **there)
    weighted = precision_recall_fscore_support(labels, predicted, average="weighted", **options)
    confusion = confusion_matrix(labels, predicted, labels=every)
    scores = {metric: measure_score(metric, probabilities, labels, weights) for metric in measured}
    count = np.bincount(labels, minlength=len(names)).tolist()
    effective = confusion if weights is None else _effective_confusion(labels, predicted, len(names), weights)
    own: dict[str, Any] = {}
    for metric, field in OWN_FIELDS.items():
        own[f"{field}_low"], own[f"{field}_high"] = METRICS[metric].figure_interval(
            scores[metric].low, scores[metric].high
        )
    return TestMetrics(
        count=len(labels), weighted=weights is not None, accuracy=float(np.average(right, weights=weights)),
        top5=_top5(probabilities, labels, weights) if len(names) >= TOP5_CLASSES else None,
        precision_macro=macro[0], recall_macro=macro[1], f1_macro=macro[2],
        precision_weighted=weighted[0], recall_weighted=weighted[1], f1_weighted=weighted[2],
        log_loss=float(-np.average(true_log(probabilities, labels), weights=weights)),
        calibration_error=calibration_error(probabilities, right, weights),
        methods={metric: METRICS[metric].interval for metric in measured}, scores=scores, **own,
        classes=tuple(
            ClassMetrics(
                name=names[i], precision=precision[i], recall=recall[i], f1=f1[i], count=count[i],
                **_class_intervals(effective, i),
            )
            for i in every
        ),
        confusion=tuple(map(tuple, confusion.tolist())),
    )  # fmt: skip


def measure_score(
    metric: MetricName, probabilities: NDArray[Any], labels: NDArray[np.int64], weights: Weights = None
) -> TestScore:
    """Score in `metric` of `probabilities` (n, classes) against `labels` (n,), and its interval."""
    low, high = score_interval(metric, probabilities, labels, weights)
    return TestScore(score=compute_score(metric, probabilities, labels, weights), low=low, high=high)


def _effective_confusion(
    labels: NDArray[np.int64], predicted: NDArray[np.int64], classes: int, weights: NDArray[Any]
) -> NDArray[np.float64]:
    """The weighted confusion matrix of as many images as those with `weights` are worth."""
    return weighted_confusion(labels, predicted, classes, effective_weights(weights))


def _class_intervals(confusion: NDArray[Any], index: int) -> dict[str, Ends | None]:
    """Intervals of one class against the rest."""
    sums = (confusion[index, index], confusion[index].sum(), confusion[:, index].sum())
    found, own, called = (float(n) for n in sums)
    return {
        "precision_interval": share_interval(found, called),
        "recall_interval": share_interval(found, own),
        "f1_interval": f1_interval(found, own, called),
    }


def calibration_error(probabilities: NDArray[Any], right: NDArray[np.bool_], weights: Weights = None) -> float:
    """Mean distance of confidence from accuracy over equal bins of confidence, weighted by their images."""
    each = np.ones(len(right)) if weights is None else weights
    confidence = probabilities.max(axis=1)
    bins = np.minimum((confidence * CONFIDENCE_BINS).astype(int), CONFIDENCE_BINS - 1)
    gaps = np.bincount(bins, weights=each * confidence, minlength=CONFIDENCE_BINS) - np.bincount(
        bins, weights=each * right, minlength=CONFIDENCE_BINS
    )
    return float(np.abs(gaps).sum() / each.sum())


def _top5(probabilities: NDArray[Any], labels: NDArray[np.int64], weights: Weights) -> float:
    best = np.argpartition(-probabilities, 5, axis=1)[:, :5]
    return float(np.average((best == labels[:, None]).any(axis=1), weights=weights))
