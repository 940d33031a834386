"""The test split: confusion, classes, and how far the winner's confidence can be trusted."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from searchspace.finals.reliability import accuracy_by_confidence, format_overconfidence
from searchspace.reporting.html.blocks import LEGEND, Block, Figure, Note, Table, axis, label
from searchspace.reporting.html.material import Material
from trainables.metrics.class_metrics import CONFIDENCE_BINS
from trainables.metrics.intervals import Ends, wilson_ends

MOST_CLASSES = 40
"""Classes in the confusion matrix."""
NUMBERED = 20
"""Classes up to which its cells bear their number."""


def confusion(material: Material) -> Iterator[Block]:
    """Images by true and predicted class; of very many classes, those with most errors."""
    metrics = material.tested()
    counts = np.array(metrics.confusion)
    wrong = counts.sum(axis=0) + counts.sum(axis=1) - 2 * counts.diagonal()
    chosen = np.sort(np.argsort(-wrong, kind="stable")[:MOST_CLASSES])
    names = [label(metrics.classes[i].name) for i in chosen]
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
    if len(names) <= NUMBERED:
        trace |= {"text": [[f"{n:,}" if n else "" for n in row] for row in part.tolist()], "texttemplate": "%{text}"}
    ticks = {"tickvals": list(range(len(names))), "ticktext": names, "showgrid": False, "zeroline": False}
    layout = {
        "height": int(np.clip(130 + 34 * len(names), 300, 900)), "xaxis": axis("predicted", **ticks, tickangle=-40),
        "yaxis": axis("true", **ticks, autorange="reversed"),
    }  # fmt: skip
    yield Figure("confusion", "Test images by true and predicted class", [trace], layout, wide=len(names) > NUMBERED)
    few = f"The {len(names)} classes with most errors of {len(counts):,}; confusion.csv has all. "
    said = "Shade is the share of the true class; the diagonal is right."
    yield Note((few if len(names) < len(counts) else "") + said)


def classes(material: Material) -> Iterator[Block]:
    """Each class against the rest, and what its images are taken for."""
    metrics = material.tested()
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
            "images": entry.count, "wrong": missed, "most often taken for": taken,
        })  # fmt: skip
    yield Table(rows, decimals=dict.fromkeys(("precision", "recall", "F1"), 4))
    yield Note("95 %: Wilson intervals over test images.")


def _ends(ends: Ends | None) -> str:
    return f"{ends[0]:.3f} to {ends[1]:.3f}" if ends else ""


def calibration(material: Material) -> Iterator[Block]:
    """Accuracy by confidence."""
    found, metrics = material.predictions, material.tested()
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
