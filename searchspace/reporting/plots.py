"""Pictures of results."""

import io
import warnings

from trainables.common.escaping import printable
from trainables.metrics.class_metrics import TestMetrics

LABELLED = 30
"""Classes up to which cells bear their number, and axes their names."""
MAX_LABEL_CHARACTERS = 40
"""Letters of a class's name beside an axis."""


def draw_confusion(names: list[str], metrics: TestMetrics) -> bytes:
    """Confusion matrix as a PNG file: shade by share of the true class, number by images."""
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    counts = np.array(metrics.confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = max(4.0, min(14.0, 1.5 + 0.5 * len(names)))
    figure = Figure(figsize=(side, side), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title(f"test accuracy {metrics.accuracy:.2%} of {metrics.count:,} images", fontsize=10)
    if len(names) <= LABELLED:
        shown = [
            printable(name) if len(name) <= MAX_LABEL_CHARACTERS else printable(name[:MAX_LABEL_CHARACTERS]) + "…"
            for name in names
        ]
        axes.set_xticks(range(len(names)), shown, rotation=45, ha="right", parse_math=False)  # no formula between $s
        axes.set_yticks(range(len(names)), shown, parse_math=False)
        for (row, column), count in np.ndenumerate(counts):
            if count:
                colour = "white" if shares[row, column] > 0.5 else "black"
                axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=8)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a box stands for each letter of other scripts
        out = io.BytesIO()
        figure.savefig(out, format="png", dpi=120)
    return out.getvalue()
