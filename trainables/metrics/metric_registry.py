"""The metrics that a search can be asked for with `--metric`, by name: adding one is one formula and one entry.

All are scores, higher is better, of the images of a split. The entry alone decides how a metric is computed in
training, what its confidence interval is, how two classifiers are compared by it, and how it is shown.
"""

from importlib.metadata import entry_points
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator

from trainables.common.errors import suggest
from trainables.metrics.class_counts import ClassCounts, Weights
from trainables.metrics.metric import Gradient, Metric


def _accuracy(counts: ClassCounts) -> float:
    """Share of images whose likeliest class is right."""
    return counts.accuracy


def _accuracy_gradient(counts: ClassCounts) -> Gradient:
    zeros, total = np.zeros(len(counts.true)), counts.true.sum()
    return Gradient(zeros - counts.correct.sum() / total**2, zeros, zeros + 1 / total, 0.0)


def _balanced_accuracy(counts: ClassCounts) -> float:
    """Mean recall, correct / true, over the classes that occur."""
    present = counts.true > 0
    return float((counts.correct[present] / counts.true[present]).mean())


def _balanced_accuracy_gradient(counts: ClassCounts) -> Gradient:
    present = counts.true > 0
    weight = _divide(1.0, counts.true, present) / present.sum()
    return Gradient(-weight * _divide(counts.correct, counts.true, present), np.zeros(len(present)), weight, 0.0)


def _f1_macro(counts: ClassCounts) -> float:
    """Mean F1, 2 x correct / (true + predicted), over the classes that occur."""
    present = counts.true > 0
    return float((2 * counts.correct[present] / (counts.true + counts.predicted)[present]).mean())


def _f1_macro_gradient(counts: ClassCounts) -> Gradient:
    present, both = counts.true > 0, counts.true + counts.predicted
    weight = _divide(2.0, both, present) / present.sum()
    lost = -weight * _divide(counts.correct, both, present)
    return Gradient(lost, lost, weight, 0.0)


def _negated_log_loss(counts: ClassCounts) -> float:
    """Minus the mean cross-entropy."""
    return -counts.mean_loss


def _negated_log_loss_gradient(counts: ClassCounts) -> Gradient:
    zeros, total = np.zeros(len(counts.true)), float(counts.true.sum())
    return Gradient(zeros + counts.loss / total**2, zeros, zeros, -1 / total)


def _mcc(counts: ClassCounts) -> float:
    """Matthews correlation of labels and predictions; 0 where either has one class alone, as in scikit-learn.

    For any number of classes, as in doi:10.1016/j.compbiolchem.2004.09.006.
    """
    total, correct = counts.true.sum(), counts.correct.sum()
    spread = (total**2 - (counts.true**2).sum()) * (total**2 - (counts.predicted**2).sum())
    covariance = correct * total - (counts.true * counts.predicted).sum()
    return float(covariance / np.sqrt(spread)) if spread > 0 else 0.0


def _divide(parts: Any, wholes: NDArray[np.float64], present: NDArray[np.bool_]) -> NDArray[np.float64]:
    """`parts / wholes` where `present`, and 0 elsewhere."""
    return np.where(present, parts / np.where(present, wholes, 1.0), 0.0)


METRICS: dict[str, Metric] = {
    "accuracy": Metric(
        "accuracy", "share of images classified right", _accuracy, gradient=_accuracy_gradient, interval="Wilson",
        aliases=("acc",),
    ),
    "balanced_accuracy": Metric(
        "balanced accuracy", "mean of the classes' recalls", _balanced_accuracy, averages_classes=True,
        gradient=_balanced_accuracy_gradient, title="balanced accuracy (mean recall)", hub_type="recall",
    ),
    "f1_macro": Metric(
        "macro F1", "mean of the classes' F1", _f1_macro, averages_classes=True, gradient=_f1_macro_gradient,
        title="F1, mean over classes", hub_type="f1", aliases=("f1", "macro_f1"),
    ),
    "mcc": Metric(
        "Matthews correlation", "correlation of labels and predictions, from -1 to 1", _mcc, bounds=(-1.0, 1.0),
        unit="", hub_type="matthews_correlation", aliases=("matthews", "matthews_corrcoef"),
    ),
    "log_loss": Metric(
        "negated log loss", "minus the mean cross-entropy, in nats", _negated_log_loss, is_negated=True,
        gradient=_negated_log_loss_gradient, bounds=(-np.inf, 0.0), unit="nats", interval="Hall",
        title="log loss, nats", aliases=("logloss", "cross_entropy"),
    ),
}  # fmt: skip
"""Each metric by its name on the command line and in records."""

METRIC_GROUP = "searchspace.metrics"
"""Group of the entry points by which installed packages offer metrics."""
DEFAULT_METRIC = "accuracy"
"""The metric of a search that is asked for none."""


def check_metric(name: str) -> str:
    """`name` if it is a metric's, or can be that of one of the user's own; raises ValueError that lists the names."""
    if name in METRICS or is_own_name(name) or entry_points(group=METRIC_GROUP, name=name):
        return name
    known = next((known for known, entry in METRICS.items() if name.casefold() in entry.aliases), "")
    hint = f"; did you mean {known!r}?" if known else suggest(name, METRICS)
    raise ValueError(f"not one of {', '.join(n for n in METRICS if not is_own_name(n))}, or FILE.py:FUNCTION{hint}")


def is_own_name(name: str) -> bool:
    """Whether a text is the name of a part of the user's own, or a reference to one."""
    return name.startswith("custom/") or ":" in name


MetricName = Annotated[str, AfterValidator(check_metric)]
"""A metric's name, as records check it; code of the user's own is registered before it is used."""


def list_metrics() -> tuple[str, ...]:
    """The names as `--help` lists them."""
    return tuple(name + " (negated)" * metric.is_negated for name, metric in METRICS.items())


def compute_score(
    metric: MetricName, probabilities: NDArray[Any], labels: NDArray[np.int64], weights: Weights = None
) -> float:
    """Score of `probabilities` (n, classes) against `labels` (n,) of images with `weights` (n,), higher is better."""
    return METRICS[metric].compute(ClassCounts.of(probabilities, labels, weights))


def report_scores(metric: MetricName, counts: ClassCounts) -> dict[str, float]:
    """Score in `metric`, accuracy and mean cross-entropy, by the names of `EpochReport`."""
    return {"score": METRICS[metric].compute(counts), "accuracy": counts.accuracy, "val_loss": counts.mean_loss}
