"""Slices of the test images: accuracy by class, and by other properties of an image."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from searchspace.reporting.html.blocks import Block, Figure, Note, Table, axis, require_predictions
from searchspace.reporting.results import SearchResults
from trainables.common.escaping import printable
from trainables.metrics.intervals import wilson_ends
from trainables.metrics.predictions import ImageDetails

QUANTILE_SLICES = 4
"""Slices of about equally many images, by a quantity."""
SQUARE_RATIO = 1.05
"""Ratio of the longer to the shorter side up to which an image counts as square."""
MAX_CLASS_SLICES = 100
"""Classes with a row; of more, those of the lowest accuracy."""


@dataclass(frozen=True)
class Slice:
    """Test images that have something in common."""

    by: str
    """The quantity or class that they are sliced by."""
    name: str
    """What they have in common."""
    rows: NDArray[np.bool_]
    """Which of the test images they are (n,)."""


def slices(results: SearchResults) -> Iterator[Block]:
    """Accuracy of each slice with Wilson's interval, and which lie below the rest."""
    found, classes = require_predictions(results), results.data.classes
    right = found.predicted == found.labels
    facts = results.winner.image_facts
    by_fact = slices_of(facts) if facts else []
    if by_fact:
        yield _figure(by_fact, right)
    rows = [_row(each, right) for each in by_fact]
    every = [Slice("class", printable(classes[i]), found.labels == i) for i in np.unique(found.labels).tolist()]
    by_class = sorted((_row(each, right) for each in every), key=lambda row: row["accuracy"])
    yield Table([*rows, *by_class[:MAX_CLASS_SLICES]], decimals=dict.fromkeys(("accuracy", "95_%_from", "to"), 4))
    few = (
        f" Of {len(by_class):,} classes, the {MAX_CLASS_SLICES} of the lowest accuracy."
        if len(by_class) > MAX_CLASS_SLICES
        else ""
    )
    yield Note(
        f"Of {len(right):,} test images, {right.mean():.2%} are right. Brightness and contrast are mean and standard "
        "deviation of the stored pixels' luma, from 0 to 1; size and shape are those of the file. Intervals are "
        "Wilson's, 95 % each: of many slices, some lie apart from the rest by chance." + few
    )


def slices_of(facts: ImageDetails) -> list[Slice]:
    """Slices by brightness, contrast, and, where they are known and differ, size and shape of the files."""
    found = [*_quartiles("brightness", facts.brightness), *_quartiles("contrast", facts.contrast)]
    if facts.sizes is None:
        return found
    height, width = facts.sizes.T
    found += _quartiles("megapixels", height * width / 1e6)
    shapes = {
        "portrait": height > SQUARE_RATIO * width, "landscape": width > SQUARE_RATIO * height,
        "square": (height <= SQUARE_RATIO * width) & (width <= SQUARE_RATIO * height),
    }  # fmt: skip
    there = {name: rows for name, rows in shapes.items() if rows.any()}
    return [*found, *(Slice("shape", name, rows) for name, rows in there.items() if len(there) > 1)]


def _quartiles(by: str, values: NDArray[Any]) -> list[Slice]:
    """Slices of about equally many images each, from the least values up; none where all are the same."""
    edges = np.unique(np.quantile(values, np.linspace(0, 1, QUANTILE_SLICES + 1)))
    if len(edges) < 2:
        return []
    places = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    return [
        Slice(by, f"{edges[i]:.3g} to {edges[i + 1]:.3g}", places == i)
        for i in range(len(edges) - 1)
        if (places == i).any()
    ]


def _row(each: Slice, right: NDArray[np.bool_]) -> dict[str, Any]:
    count, share = int(each.rows.sum()), float(right[each.rows].mean())
    low, high = wilson_ends(np.array([share]), np.array([count]))
    return {
        "by": each.by, "slice": each.name, "images": count, "wrong": int((~right[each.rows]).sum()),
        "accuracy": share, "95_%_from": float(low[0]), "to": float(high[0]),
    }  # fmt: skip


def _figure(found: Sequence[Slice], right: NDArray[np.bool_]) -> Figure:
    rows = [_row(each, right) for each in reversed(found)]
    trace = {
        "type": "scatter", "mode": "markers", "x": [round(row["accuracy"], 4) for row in rows],
        "y": list(range(len(rows))), "text": [f"{row['by']} {row['slice']}: {row['images']:,} images" for row in rows],
        "marker": {"color": "var(--accent)", "size": 9},
        "error_x": {
            "type": "data", "symmetric": False, "color": "var(--accent)", "thickness": 1.2,
            "array": [round(row["to"] - row["accuracy"], 4) for row in rows],
            "arrayminus": [round(row["accuracy"] - row["95_%_from"], 4) for row in rows],
        },
        "hovertemplate": "%{text}<br>%{x:.2%} right<extra></extra>",
    }  # fmt: skip
    mean = float(right.mean())
    line = {"type": "line", "x0": mean, "x1": mean, "yref": "paper", "y0": 0, "y1": 1,
            "line": {"dash": "dot", "width": 1, "color": "var(--muted)"}}  # fmt: skip
    layout = {
        "height": 90 + 24 * len(rows), "shapes": [line], "xaxis": axis("accuracy; dotted: of all", tickformat=".0%"),
        "yaxis": {"tickvals": list(range(len(rows))), "ticktext": [f"{row['by']} {row['slice']}" for row in rows],
                  "automargin": True, "zeroline": False, "range": [-0.7, len(rows) - 0.3]},
    }  # fmt: skip
    return Figure("slices", "Accuracy of slices of the test images", [trace], layout)
