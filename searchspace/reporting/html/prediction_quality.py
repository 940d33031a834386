"""Predictions for the test split: confusion matrix, metrics by class, calibration, precision against recall."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from searchspace.finals.reliability import accuracy_by_confidence, format_overconfidence
from searchspace.reporting.html.blocks import (
    LEGEND,
    Block,
    Figure,
    MissingError,
    Note,
    Table,
    axis,
    figure_label,
    require_metrics,
    require_predictions,
)
from searchspace.reporting.results import SearchResults
from trainables.metrics.class_metrics import CONFIDENCE_BINS
from trainables.metrics.intervals import Ends, wilson_ends

MAX_CONFUSION_CLASSES = 40
"""Classes in the confusion matrix."""
MAX_NUMBERED_CLASSES = 20
"""Classes up to which its cells bear their number."""
MAX_CLASS_CURVES = 6
"""Classes with a curve: those of the lowest average precision."""
MAX_CURVE_POINTS = 150
"""Points of a curve."""
CURVE_COLOURS = ("accent", "best", "bad", "soft", "ramp-1", "shade-4")
CURVE_DASHES = ("solid", "dash", "dashdot", "dot", "longdash", "longdashdot")


def confusion(results: SearchResults) -> Iterator[Block]:
    """Images by true and predicted class; of very many classes, those with most errors."""
    metrics = require_metrics(results)
    counts = np.array(metrics.confusion)
    wrong = counts.sum(axis=0) + counts.sum(axis=1) - 2 * counts.diagonal()
    chosen = np.sort(np.argsort(-wrong, kind="stable")[:MAX_CONFUSION_CLASSES])
    names = [figure_label(metrics.classes[i].name) for i in chosen]
    totals = counts.sum(axis=1)
    part = counts[np.ix_(chosen, chosen)]
    shares = (part / np.maximum(totals[chosen, None], 1)).round(4)
    hover = [
        [f"true {true}<br>called {called}<br>{part[i, j]:,} of {totals[chosen[i]]:,}" for j, called in enumerate(names)]
        for i, true in enumerate(names)
    ]
    trace: dict[str, Any] = {
        "type": "heatmap", "z": shares.tolist(), "zmin": 0, "zmax": 1, "hovertext": hover, "hoverinfo": "text",
        "colorscale": [[0, "var(--surface)"], [1, "var(--accent)"]], "xgap": 1, "ygap": 1,
        "colorbar": {"tickformat": ".0%", "thickness": 10, "outlinewidth": 0, "title": {"text": ""}},
    }  # fmt: skip
    if len(names) <= MAX_NUMBERED_CLASSES:
        trace |= {"text": [[f"{n:,}" if n else "" for n in row] for row in part.tolist()], "texttemplate": "%{text}"}
    ticks = {"tickvals": list(range(len(names))), "ticktext": names, "showgrid": False, "zeroline": False}
    layout = {
        "height": int(np.clip(130 + 34 * len(names), 300, 900)), "xaxis": axis("predicted", **ticks, tickangle=-40),
        "yaxis": axis("true", **ticks, autorange="reversed"),
    }  # fmt: skip
    yield Figure(
        "confusion", "Test images by true and predicted class", [trace], layout, wide=len(names) > MAX_NUMBERED_CLASSES
    )
    few = f"The {len(names)} classes with most errors of {len(counts):,}; confusion.csv has all. "
    said = "Shade is the share of the true class; the diagonal is right."
    yield Note((few if len(names) < len(counts) else "") + said)


def classes(results: SearchResults) -> Iterator[Block]:
    """Each class against the rest, and the class that its images are most often confused with."""
    metrics = require_metrics(results)
    rows = []
    for index, entry in enumerate(metrics.classes):
        others = np.array(metrics.confusion[index])
        others[index] = 0
        missed = int(others.sum())
        taken = f"{metrics.classes[int(others.argmax())].name} ({others.max():,})" if missed else ""
        rows.append({
            "class": entry.name, "precision": entry.precision, "95 % of precision": _ends(entry.precision_interval),
            "recall": entry.recall, "95 % of recall": _ends(entry.recall_interval),
            "F1": entry.f1, "95 % of F1": _ends(entry.f1_interval),
            "images": entry.count, "wrong": missed, "most often confused with": taken,
        })  # fmt: skip
    yield Table(rows, decimals=dict.fromkeys(("precision", "recall", "F1"), 4))
    yield Note("95 %: Wilson intervals over test images.")


def _ends(ends: Ends | None) -> str:
    return f"{ends[0]:.3f} to {ends[1]:.3f}" if ends else ""


def calibration(results: SearchResults) -> Iterator[Block]:
    """Accuracy by confidence."""
    found, metrics = require_predictions(results), require_metrics(results)
    means, rights, counts = accuracy_by_confidence(found)
    low, high = wilson_ends(rights, counts)
    marks = {
        "type": "scatter", "mode": "markers", "name": "test images", "x": means.round(4).tolist(),
        "y": rights.round(4).tolist(), "text": [f"{count:,} images" for count in counts.tolist()],
        "marker": {"color": "var(--accent)", "size": (7 + 15 * np.sqrt(counts / counts.max())).round(1).tolist()},
        "error_y": {"type": "data", "symmetric": False, "array": (high - rights).round(4).tolist(),
                    "arrayminus": (rights - low).round(4).tolist(), "color": "var(--accent)", "thickness": 1},
        "hovertemplate": "confidence %{x:.1%}<br>right %{y:.1%}<br>%{text}<extra></extra>",
    }  # fmt: skip
    ideal = {
        "type": "scatter", "mode": "lines", "name": "as confident as right", "x": [0, 1], "y": [0, 1],
        "line": {"color": "var(--muted)", "dash": "dot", "width": 1}, "hoverinfo": "skip",
    }  # fmt: skip
    layout = {
        "height": 400, "xaxis": axis("confidence of the answer", range=[-0.02, 1.04], tickformat=".0%"),
        "yaxis": axis("share that is right", range=[-0.02, 1.04], tickformat=".0%"),
        "legend": LEGEND,
    }  # fmt: skip
    yield Figure("calibration", "Share of right answers by confidence", [ideal, marks], layout)
    yield Note(
        f"{metrics.count:,} test images in {CONFIDENCE_BINS} equal bins of confidence, {len(counts)} of them with any; "
        "a dot's size is its images, its bar Wilson's 95 % interval. The calibration error, the mean distance from the "
        f"line weighted by images (arXiv:1706.04599), is {metrics.calibration_error:.4f}; on the whole the winner is "
        f"{format_overconfidence(found)}."
    )


def precision_recall(results: SearchResults) -> Iterator[Block]:
    """A curve a class against the rest, those of the lowest average precision, and one of all decisions together."""
    found, classes = require_predictions(results), results.data.classes
    there = np.unique(found.labels).tolist()
    if len(there) < 2:
        raise MissingError("All test images are of one class, so no threshold can be judged.")
    curves = {index: compute_curve(found.probabilities[:, index], found.labels == index) for index in there}
    worst = sorted(there, key=lambda index: curves[index].average)[:MAX_CLASS_CURVES]
    every = np.eye(len(classes), dtype=bool)[found.labels].ravel()
    whole = compute_curve(found.probabilities.ravel(), every)
    traces = [_trace("all classes", whole, "ink", "solid", 3.0)]
    styles = zip(worst, cycle(CURVE_COLOURS), cycle(CURVE_DASHES))
    traces += [_trace(figure_label(classes[i]), curves[i], colour, dash, 1.6) for i, colour, dash in styles]
    layout = {
        "height": 420, "xaxis": axis("recall", range=[0, 1.02], tickformat=".0%"), "legend": LEGEND,
        "yaxis": axis("precision", range=[0, 1.02], tickformat=".0%"), "hovermode": "closest",
    }  # fmt: skip
    yield Figure("precision-recall", "Precision against recall of each class, by threshold", traces, layout)
    mean = float(np.mean([curve.average for curve in curves.values()]))
    few = f"the {len(worst)} with the lowest are drawn" if len(worst) < len(there) else "all are drawn"
    yield Note(
        f"AP is the average precision, the area under a curve. Of {len(there):,} classes {few}; the mean over "
        f"classes is {mean:.4f}. All classes together: each image and class is a decision of its own."
    )


@dataclass(frozen=True)
class PrecisionRecallCurve:
    """Precision and recall at falling thresholds."""

    precision: NDArray[np.float64]
    """Of the images at or above each threshold, the share that is of the class (n,)."""
    recall: NDArray[np.float64]
    """Of the images of the class, the share at or above each threshold (n,)."""
    thresholds: NDArray[np.float64]
    """Probabilities, falling (n,); the first is infinite, which no image reaches."""
    average: float
    """Average precision, from 0 to 1."""


def compute_curve(scores: NDArray[Any], right: NDArray[np.bool_]) -> PrecisionRecallCurve:
    """The curve of deciding `right` (n,) by thresholds on `scores` (n,), and its average precision."""
    from sklearn.metrics import average_precision_score, precision_recall_curve

    precision, recall, thresholds = precision_recall_curve(right, scores, drop_intermediate=True)
    return PrecisionRecallCurve(
        precision[::-1], recall[::-1], np.append(thresholds, np.inf)[::-1],
        float(average_precision_score(right, scores)),
    )  # fmt: skip


def _trace(name: str, curve: PrecisionRecallCurve, colour: str, dash: str, width: float) -> dict[str, Any]:
    places = np.unique(np.linspace(0, len(curve.recall) - 1, MAX_CURVE_POINTS).astype(int))
    thresholds = [f"{value:.3g}" if np.isfinite(value) else "above all" for value in curve.thresholds[places].tolist()]
    return {
        "type": "scatter", "mode": "lines", "name": f"{name}, AP {curve.average:.3f}",
        "x": curve.recall[places].round(4).tolist(), "y": curve.precision[places].round(4).tolist(),
        "text": thresholds, "line": {"color": f"var(--{colour})", "dash": dash, "width": width},
        "hovertemplate": f"{name}<br>recall %{{x:.1%}}, precision %{{y:.1%}}<br>threshold %{{text}}<extra></extra>",
    }  # fmt: skip
