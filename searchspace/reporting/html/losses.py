"""Training and validation loss by epoch: whether the finalists, the winner first, had learnt enough or too much."""

from collections.abc import Iterator
from typing import Any

from searchspace.reporting.html.blocks import LEGEND, Block, Figure, MissingError, Note, axis, log_axis
from searchspace.reporting.html.material import Material
from trainables.config import EpochReport

COLOURS = ("var(--best)", "var(--accent)", "var(--bad)", "var(--soft)", "var(--ramp-1)")
"""Of one trial each, the winner's first."""


def losses(material: Material) -> Iterator[Block]:
    """Both losses of the finalists' trials in the search; before the finals, of the best trials so far."""
    chosen = {number: curve for number in _chosen(material) if (curve := _curve(material, number))}
    if not chosen:
        raise MissingError("No trial has finished an epoch.")
    traces = [
        _line(number, curve, kind, colour, number in material.configs)
        for (number, curve), colour in zip(chosen.items(), COLOURS, strict=False)
        for kind in ("train", "val")
    ]  # fmt: skip
    drawn = [value for trace in traces for value in trace["y"] if value]
    layout = {
        "height": 400, "xaxis": axis("epoch", rangemode="tozero"), "hovermode": "closest", "legend": LEGEND,
        "yaxis": log_axis("cross-entropy in nats", drawn or [1.0]),
    }  # fmt: skip
    yield Figure("losses", "Training and validation loss by epoch", traces, layout)
    whose = "finalists' trials, as the search trained them" if material.finalists else "best trials so far"
    yield Note(
        f"Of the {whose}. The training loss is the mean over an epoch while it trains, on augmented images, with label "
        "smoothing, mixing and class weights where the configuration has them; the validation loss is the plain "
        "cross-entropy after the epoch. So the first may lie above the second, and only their courses compare."
    )


def _chosen(material: Material) -> list[int]:
    """Numbers of the trials that are drawn: the finalists', or those that stand highest on the leaderboard."""
    members = [number for finalist in material.finalists for number in finalist.members]
    numbers = members or [int(row["trial"]) for row in material.rows]
    return list(dict.fromkeys(numbers))[: len(COLOURS)]


def _curve(material: Material, number: int) -> list[EpochReport]:
    return [told.report for told in material.told.get(number, []) if told.report.status != "failed"]


def _line(number: int, curve: list[EpochReport], kind: str, colour: str, won: bool) -> dict[str, Any]:
    name, dash = ("training", "dot") if kind == "train" else ("validation", "solid")
    values = [getattr(report, f"{kind}_loss") for report in curve]
    return {
        "type": "scatter", "mode": "lines+markers", "name": f"trial {number}{' (winner)' if won else ''}, {name}",
        "x": [report.epoch for report in curve], "y": [round(v, 6) if v > 0 else None for v in values],
        "line": {"color": colour, "dash": dash, "width": 2.5 if won else 1.5}, "marker": {"color": colour, "size": 4},
        "hovertemplate": f"trial {number}, {name}, epoch %{{x}}<br>%{{y:.4f}} nats<extra></extra>",
    }  # fmt: skip
