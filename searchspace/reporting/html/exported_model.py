"""The exported model: accuracy against latency, and accuracy on corrupted images."""

from collections.abc import Iterator
from itertools import cycle
from typing import Any

from searchspace.reporting.html.blocks import (
    LEGEND,
    Block,
    Figure,
    MissingError,
    Note,
    Table,
    axis,
    log_axis,
    padded_range,
)
from searchspace.reporting.results import SearchResults
from searchspace.reporting.tables.exported_files_table import ROBUSTNESS_METHOD, format_robustness, robustness_rows
from searchspace.reporting.tables.pareto import pareto_front
from searchspace.study.trial_attributes import read_trial_cost
from trainables.export.benchmark.architecture_cost import LATENCY_DEFINITION
from trainables.export.exported_files import ExportRecord
from trainables.export.robustness import MEASURED_STRENGTHS, Robustness
from trainables.metrics.metric_registry import METRICS

ACCURACY_MARGIN = 0.005
"""Of the accuracies' axis, so that files that differ by nothing do not look far apart."""
CORRUPTION_LINES = (("solid", "accent"), ("dash", "best"), ("dashdot", "bad"), ("dot", "soft"))
"""Dash and colour of each corruption's line: they differ without colours too."""
Trace = dict[str, Any]


def tradeoff(results: SearchResults) -> Iterator[Block]:
    """What each millisecond buys; a figure of files, a figure of trials, as far as there are any."""
    trials, shipment = _trials(results), results.winner.shipment
    if shipment is None and len(trials) < 2:
        raise MissingError("Nothing is exported, and no limit or objective had a trial's latency measured.")
    meant = f"{LATENCY_DEFINITION[0].upper()}{LATENCY_DEFINITION[1:]}."
    if shipment is not None:
        yield _of_files(shipment)
        yield Note(
            f"Test accuracy and latency of each exported file, on {shipment.machine}. {meant} The recommended "
            "file is the fastest at batches, which need not be the fastest for one image."
        )
    if len(trials) > 1:
        yield _of_trials(results, trials)
        said = (
            "Trials at full length by the latency of their float32 ONNX file, which was measured before they were "
            "trained. The line joins those that none is both better and quicker than."
        )
        yield Note(said if shipment else f"{said} {meant}")


def _of_files(shipment: ExportRecord) -> Figure:
    traces = [
        {
            "type": "scatter", "mode": "markers+text", "x": [round(each.speed.latency_ms, 4)],
            "y": [round(each.proof.accuracy, 4)], "text": [each.format], "textposition": "top center",
            "name": f"{each.format}{' (recommended)' if each is shipment.recommended_file else ''}",
            "marker": {"size": 12, "color": "var(--best)" if each is shipment.recommended_file else "var(--accent)"},
            "hovertemplate": f"{each.file}, {each.size_mb:.3g} MB<br>%{{y:.2%}} right, %{{x:.3g}} ms<extra></extra>",
        }
        for each in shipment.artefacts
    ]  # fmt: skip
    layout = {
        "height": 360, "xaxis": log_axis("latency in ms", [each.speed.latency_ms for each in shipment.artefacts]),
        "yaxis": axis(
            "test accuracy", tickformat=".1%",
            range=padded_range([each.proof.accuracy for each in shipment.artefacts], ACCURACY_MARGIN),
        ),
    }  # fmt: skip
    return Figure("files", "Test accuracy against latency of each exported file", traces, layout)


def _trials(results: SearchResults) -> list[tuple[int, float, float]]:
    """Number, score and latency in ms of each full-length trial whose architecture was measured."""
    length = results.spec.max_epochs
    return [
        (trial.number, trial.intermediate_values[length], cost.latency_ms)
        for trial in results.trials
        if length in trial.intermediate_values and (cost := read_trial_cost(trial)) and cost.latency_ms is not None
    ]


def _of_trials(results: SearchResults, trials: list[tuple[int, float, float]]) -> Figure:
    edge = sorted(
        (trials[i] for i in pareto_front([(score, ms) for _, score, ms in trials])), key=lambda trial: trial[2]
    )
    won = [trial for trial in trials if trial[0] in results.winner_configs]
    traces = [
        _points("full length", trials, "var(--ramp-2)", 8),
        {**_points("none better and quicker", edge, "var(--accent)", 9), "mode": "lines+markers",
         "line": {"shape": "hv", "color": "var(--accent)", "width": 1.5}},
        *([_points("winner", won, "var(--best)", 12)] if won else []),
    ]  # fmt: skip
    words = METRICS[results.spec.metric].label
    layout = {
        "height": 380, "xaxis": log_axis("latency in ms", [ms for _, _, ms in trials]),
        "yaxis": axis(f"validation {words}", range=padded_range([score for _, score, _ in trials], ACCURACY_MARGIN)),
        "legend": LEGEND, "hovermode": "closest",
    }  # fmt: skip
    return Figure("trials-latency", "Validation score against latency of each trial", traces, layout)


def _points(name: str, trials: list[tuple[int, float, float]], colour: str, size: int) -> Trace:
    return {
        "type": "scatter", "mode": "markers", "name": name, "x": [float(f"{ms:.4g}") for _, _, ms in trials],
        "y": [round(score, 5) for _, score, _ in trials], "text": [f"trial {number}" for number, _, _ in trials],
        "marker": {"color": colour, "size": size},
        "hovertemplate": "%{text}<br>%{y:.4f}, %{x:.3g} ms<extra></extra>",
    }  # fmt: skip


def robustness(results: SearchResults) -> Iterator[Block]:
    """Accuracy by corruption and strength."""
    found = results.winner.robustness
    if found is None:
        raise MissingError("How the winner bears worse images has not been measured; an export does.")
    yield Note(format_robustness(found))
    yield _figure(found)
    yield Table(robustness_rows(found))
    yield Note(ROBUSTNESS_METHOD)


def _figure(found: Robustness) -> Figure:
    traces = [
        {
            "type": "scatter", "mode": "lines+markers", "name": name,
            "x": [0, *(entry.strength for entry in entries)],
            "y": [round(accuracy, 4) for accuracy in (found.clean, *(entry.accuracy for entry in entries))],
            "line": {"dash": dash, "width": 2, "color": f"var(--{colour})"},
            "hovertemplate": f"{name}, strength %{{x}}: %{{y:.2%}}<extra></extra>",
        }
        for (name, entries), (dash, colour) in zip(found.by_corruption().items(), cycle(CORRUPTION_LINES))
    ]  # fmt: skip
    layout = {
        "height": 340, "legend": LEGEND, "yaxis": axis("accuracy", tickformat=".0%", rangemode="tozero"),
        "xaxis": axis("strength of the corruption; 0 is the image as it is", tickvals=[0, *MEASURED_STRENGTHS]),
    }  # fmt: skip
    return Figure("robustness", "Accuracy by strength of each corruption", traces, layout)
