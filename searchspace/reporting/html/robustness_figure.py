"""Worse images: how much accuracy noise, blur, brightness and JPEG leave."""

from collections.abc import Iterator
from itertools import cycle

from searchspace.reporting.html.blocks import LEGEND, Block, Figure, MissingError, Note, Table, axis
from searchspace.reporting.html.material import Material
from searchspace.reporting.tables.robustness_table import METHOD, robustness_rows, say_robustness
from trainables.export.robustness import MEASURED_STRENGTHS, Robustness

LINES = (("solid", "accent"), ("dash", "best"), ("dashdot", "bad"), ("dot", "soft"))
"""Dash and colour of each line: told apart without colours too."""


def robustness(material: Material) -> Iterator[Block]:
    """Accuracy by corruption and strength."""
    found = material.robustness
    if found is None:
        raise MissingError("How the winner bears worse images has not been measured; an export does.")
    yield Note(say_robustness(found))
    yield _figure(found)
    yield Table(robustness_rows(found))
    yield Note(METHOD)


def _figure(found: Robustness) -> Figure:
    traces = [
        {
            "type": "scatter", "mode": "lines+markers", "name": name,
            "x": [0, *(entry.strength for entry in entries)],
            "y": [round(accuracy, 4) for accuracy in (found.clean, *(entry.accuracy for entry in entries))],
            "line": {"dash": dash, "width": 2, "color": f"var(--{colour})"},
            "hovertemplate": f"{name}, strength %{{x}}: %{{y:.2%}}<extra></extra>",
        }
        for (name, entries), (dash, colour) in zip(found.by_corruption().items(), cycle(LINES))
    ]  # fmt: skip
    layout = {
        "height": 340, "legend": LEGEND, "yaxis": axis("accuracy", tickformat=".0%", rangemode="tozero"),
        "xaxis": axis("strength of the corruption; 0 is the image as it is", tickvals=[0, *MEASURED_STRENGTHS]),
    }  # fmt: skip
    return Figure("robustness", "Accuracy by strength of each corruption", traces, layout)
