"""Test metrics: scores with intervals, metrics by class, confusions, and calibration."""

from typing import Any

from searchspace.finals.formatting import list_test_figures
from searchspace.finals.reliability import accuracy_by_confidence, format_overconfidence
from searchspace.reporting.markdown import paragraphs, table
from searchspace.reporting.results import ClassifierResults
from trainables.common.escaping import as_code
from trainables.metrics.class_metrics import CONFIDENCE_BINS
from trainables.metrics.intervals import Ends

MAX_CONFUSION_PAIRS = 10
"""Pairs of classes that are named."""


def describe_metrics(model: ClassifierResults) -> str:
    """All metrics, then each class against the rest."""
    found = model.metrics
    rows: list[dict[str, Any]] = [
        {"metric": each.title, "value": f"{each.value:.4f}", **_interval(each.interval, each.method)}
        for each in list_test_figures(found)
        if each.value is not None
    ]
    method = (
        "Intervals are over test images: Wilson's for shares, Wilson's with the effective number of images of the "
        "delta method for means over classes and correlations, Hall's, which allows for skewness, for the log loss. "
        "The spread over trainings is below, at the finalists."
    )
    each = "Each class against the rest, in brackets 95 % Wilson intervals:"
    opened = f"{found.count:,} images, opened once."
    if found.weighted:
        column = as_code(model.search.spec.weight_column)
        opened += f" All figures but counts of images are weighted by column {column} of the data's table."
    return paragraphs(opened, table(rows), method, each, table(_classes(model)))


def _interval(ends: Ends | None, method: str) -> dict[str, str]:
    return {"95 % interval": f"{ends[0]:.4f} to {ends[1]:.4f}" if ends else "", "method": method}


def _with_interval(value: float, ends: Ends | None) -> str:
    return f"{value:.4f}" + (f" ({ends[0]:.4f} to {ends[1]:.4f})" if ends else "")


def _classes(model: ClassifierResults) -> list[dict[str, Any]]:
    counts = model.data.counts or (None,) * len(model.metrics.classes)
    return [
        {"class": c.name, "precision": _with_interval(c.precision, c.precision_interval),
         "recall": _with_interval(c.recall, c.recall_interval), "F1": _with_interval(c.f1, c.f1_interval),
         "test images": c.count, "training images": trained}
        for c, trained in zip(model.metrics.classes, counts, strict=True)
    ]  # fmt: skip


def describe_confusions(model: ClassifierResults) -> str:
    """Which classes are confused with which, the most frequent first."""
    matrix, classes = model.metrics.confusion, model.metrics.classes
    wrong = sorted(
        ((count, true, called) for true, row in enumerate(matrix) for called, count in enumerate(row)
         if count and true != called),
        key=lambda found: (-found[0], found[1:]),
    )  # fmt: skip
    if not wrong:
        return f"No test image of {model.metrics.count:,} was wrong."
    rows = [
        {"true": classes[true].name, "confused with": classes[called].name, "images": count,
         "of that class": f"{count / classes[true].count:.1%}"}
        for count, true, called in wrong[:MAX_CONFUSION_PAIRS]
    ]  # fmt: skip
    errors = sum(count for count, *_ in wrong)
    shown = (
        "All pairs of classes"
        if len(wrong) <= MAX_CONFUSION_PAIRS
        else f"The {MAX_CONFUSION_PAIRS} most frequent of {len(wrong):,} pairs"
    )
    return paragraphs(
        f"{errors:,} of {model.metrics.count:,} test images were wrong. {shown}:", table(rows),
        "The whole matrix is in `confusion.csv` and `confusion.png`.",
    )  # fmt: skip


def describe_calibration(model: ClassifierResults) -> str:
    """How often it is right when it is so sure."""
    found = model.predictions
    if found is None:
        return ""
    rows = [
        {"mean confidence": f"{mean:.1%}", "right": f"{right:.1%}", "images": int(count)}
        for mean, right, count in zip(*accuracy_by_confidence(found), strict=True)
    ]
    return paragraphs(
        f"On the whole it is {format_overconfidence(found)}: its mean confidence is {found.confidence.mean():.2%}, its "
        f"accuracy {model.metrics.accuracy:.2%}. The expected calibration error, the mean distance of the two over "
        f"{CONFIDENCE_BINS} equal bins of confidence, is {model.metrics.calibration_error:.4f} (arXiv:1706.04599). "
        "Bins that have images:",
        table(rows),
    )  # fmt: skip
