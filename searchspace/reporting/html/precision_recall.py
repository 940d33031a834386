"""Precision against recall on the test images: what each threshold on a class's probability finds, and at what cost."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from searchspace.reporting.html.blocks import LEGEND, Block, Figure, MissingError, Note, axis, label
from searchspace.reporting.html.material import Material

MOST_CURVES = 6
"""Classes with a curve: those of the lowest average precision."""
MOST_POINTS = 150
"""Points of a curve."""
COLOURS = ("accent", "best", "bad", "soft", "ramp-1", "shade-4")
DASHES = ("solid", "dash", "dashdot", "dot", "longdash", "longdashdot")


def precision_recall(material: Material) -> Iterator[Block]:
    """A curve a class against the rest, those of the lowest average precision, and one of all decisions together."""
    found, classes = material.predictions, material.data.classes
    there = np.unique(found.labels).tolist()
    if len(there) < 2:
        raise MissingError("All test images are of one class, so no threshold can be judged.")
    curves = {index: curve_of(found.probabilities[:, index], found.labels == index) for index in there}
    worst = sorted(there, key=lambda index: curves[index].average)[:MOST_CURVES]
    every = np.eye(len(classes), dtype=bool)[found.labels].ravel()
    whole = curve_of(found.probabilities.ravel(), every)
    traces = [_trace("all classes", whole, "ink", "solid", 3.0)]
    styles = zip(worst, cycle(COLOURS), cycle(DASHES))
    traces += [_trace(label(classes[i]), curves[i], colour, dash, 1.6) for i, colour, dash in styles]
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
class Curve:
    """Precision and recall at falling thresholds."""

    precision: NDArray[np.float64]
    """Of the images at or above each threshold, the share that is of the class (n,)."""
    recall: NDArray[np.float64]
    """Of the images of the class, the share at or above each threshold (n,)."""
    thresholds: NDArray[np.float64]
    """Probabilities, falling (n,); the first is infinite, which no image reaches."""
    average: float
    """Average precision, from 0 to 1."""


def curve_of(scores: NDArray[Any], right: NDArray[np.bool_]) -> Curve:
    """The curve of deciding `right` (n,) by thresholds on `scores` (n,), and its average precision."""
    from sklearn.metrics import average_precision_score, precision_recall_curve

    precision, recall, thresholds = precision_recall_curve(right, scores, drop_intermediate=True)
    return Curve(
        precision[::-1], recall[::-1], np.append(thresholds, np.inf)[::-1],
        float(average_precision_score(right, scores)),
    )  # fmt: skip


def _trace(name: str, curve: Curve, colour: str, dash: str, width: float) -> dict[str, Any]:
    places = np.unique(np.linspace(0, len(curve.recall) - 1, MOST_POINTS).astype(int))
    thresholds = [f"{value:.3g}" if np.isfinite(value) else "above all" for value in curve.thresholds[places].tolist()]
    return {
        "type": "scatter", "mode": "lines", "name": f"{name}, AP {curve.average:.3f}",
        "x": curve.recall[places].round(4).tolist(), "y": curve.precision[places].round(4).tolist(),
        "text": thresholds, "line": {"color": f"var(--{colour})", "dash": dash, "width": width},
        "hovertemplate": f"{name}<br>recall %{{x:.1%}}, precision %{{y:.1%}}<br>threshold %{{text}}<extra></extra>",
    }  # fmt: skip
