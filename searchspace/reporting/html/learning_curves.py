"""The course of the search: each trial's last score by its number, learning curves, and losses by epoch."""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from searchspace.reporting.html.blocks import LEGEND, Block, Figure, MissingError, Note, axis, log_axis
from searchspace.reporting.results import SearchResults
from searchspace.reporting.tables.trials import board_rows
from searchspace.study.trial_attributes import is_paused
from trainables.config import EpochReport
from trainables.metrics.metric_registry import METRICS

MAX_LEARNING_CURVES = 300
"""Learning curves in the picture."""
HIDDEN_SCORE_SHARE = 0.1
"""Share of the scores that may lie below the picture, so that the others are seen apart."""
LOSS_COLOURS = ("var(--best)", "var(--accent)", "var(--bad)", "var(--soft)", "var(--ramp-1)")
"""Of the trials whose losses are drawn, the winner's first."""
Trace = dict[str, Any]


def optimisation(results: SearchResults) -> Iterator[Block]:
    """Every trial's last score by how far it came, and the best full-length score so far."""
    scored = [trial for trial in results.trials if trial.intermediate_values]
    if not scored:
        raise MissingError("No trial has finished an epoch.")
    complete = [trial for trial in scored if trial.state == TrialState.COMPLETE]
    traces = [
        _dots(f"stopped at epoch {epoch}", found, f"var(--ramp-{min(index, 3)})")
        for index, epoch in enumerate(sorted({_epoch(t) for t in scored if _is_stopped(t)}))
        if (found := [t for t in scored if _is_stopped(t) and _epoch(t) == epoch])
    ]
    failed = [trial for trial in scored if trial.state == TrialState.FAIL]
    running = [trial for trial in scored if trial.state == TrialState.RUNNING and not _is_stopped(trial)]
    traces += [_dots("failed", failed, "var(--bad)", "x")] if failed else []
    traces += [_dots("running", running, "var(--best)", "circle-open")] if running else []
    if complete:
        traces += [_dots("full length", complete, "var(--accent)"), _best(complete)]
    shown, cut = _window([_last(trial) for trial in scored])
    layout = {
        "height": 380, "xaxis": axis("trial"), "yaxis": axis(f"validation {_words(results)}", range=shown),
        "legend": LEGEND,
    }  # fmt: skip
    yield Figure("history", "Last validation score of each trial, by its number", traces, layout)
    lost = sum(trial.state == TrialState.FAIL for trial in results.trials)
    rungs = ", ".join(map(str, results.rungs)) or "none"
    said = f"Rungs, where trials are compared and most are stopped: {rungs} of {results.spec.max_epochs} epochs."
    yield Note(said + (f" Failed trials: {lost:,}." if lost else "") + cut)


def curves(results: SearchResults) -> Iterator[Block]:
    """Score by epoch of every trial, or of an honest choice where there are very many."""
    scored = [trial for trial in results.trials if trial.intermediate_values]
    if not scored:
        raise MissingError("No trial has finished an epoch.")
    chosen = _thin(scored)
    winners = [trial for trial in chosen if trial.number in results.winner_configs]
    rest = [trial for trial in chosen if trial not in winners]
    traces = [
        _lines("not full length", [t for t in rest if t.state != TrialState.COMPLETE], "var(--ramp-0)", 1.0, 0.8),
        _lines("full length", [t for t in rest if t.state == TrialState.COMPLETE], "var(--accent)", 1.2, 0.6),
        _lines("winner, in the search", winners, "var(--best)", 3.0, 1.0),
    ]
    shown, cut = _window([value for trial in chosen for value in trial.intermediate_values.values()])
    rungs = [
        {"type": "line", "x0": e, "x1": e, "yref": "paper", "y0": 0, "y1": 1,
         "line": {"dash": "dot", "width": 1, "color": "var(--muted)"}}
        for e in results.rungs
    ]  # fmt: skip
    layout = {
        "height": 400, "xaxis": axis("epoch", rangemode="tozero"), "shapes": rungs, "hovermode": "closest",
        "yaxis": axis(f"validation {_words(results)}", range=shown), "legend": LEGEND,
    }  # fmt: skip
    yield Figure("curves", "Validation score of each trial by epoch", [t for t in traces if t["x"]], layout)
    few = (
        f" {len(chosen)} of {len(scored):,} curves: the best {MAX_LEARNING_CURVES // 2} of those that came furthest, "
        "and every so many of the others."
    )
    yield Note(f"Dotted lines are rungs.{few if len(chosen) < len(scored) else ''}{cut}")


def _words(results: SearchResults) -> str:
    return METRICS[results.spec.metric].label


def _epoch(trial: FrozenTrial) -> int:
    return max(trial.intermediate_values)


def _last(trial: FrozenTrial) -> float:
    return trial.intermediate_values[_epoch(trial)]


def _is_stopped(trial: FrozenTrial) -> bool:
    return trial.state == TrialState.PRUNED or is_paused(trial)


def _dots(name: str, trials: Sequence[FrozenTrial], colour: str, symbol: str = "circle") -> Trace:
    return {
        "type": "scatter", "mode": "markers", "name": name, "x": [t.number for t in trials],
        "y": [round(_last(t), 5) for t in trials], "text": [f"epoch {_epoch(t)}" for t in trials],
        "marker": {"color": colour, "size": 8, "symbol": symbol},
        "hovertemplate": "trial %{x}<br>%{y:.4f} at %{text}<extra></extra>",
    }  # fmt: skip


def _best(complete: Sequence[FrozenTrial]) -> Trace:
    return {
        "type": "scatter", "mode": "lines", "name": "best at full length so far", "x": [t.number for t in complete],
        "y": list(accumulate((_last(t) for t in complete), max)),
        "line": {"shape": "hv", "color": "var(--best)", "width": 2}, "hoverinfo": "skip",
    }  # fmt: skip


def _lines(name: str, trials: Sequence[FrozenTrial], colour: str, width: float, opacity: float) -> Trace:
    """Curves as one trace, with a gap after each, so that thousands of points draw quickly."""
    xs: list[int | None] = []
    ys: list[float | None] = []
    names: list[str] = []
    for trial in trials:
        epochs = sorted(trial.intermediate_values)
        xs += [*epochs, None]
        ys += [*(round(trial.intermediate_values[epoch], 5) for epoch in epochs), None]
        names += [f"trial {trial.number}"] * (len(epochs) + 1)
    return {
        "type": "scatter", "mode": "lines+markers", "name": name, "x": xs, "y": ys, "text": names, "opacity": opacity,
        "line": {"color": colour, "width": width}, "marker": {"color": colour, "size": 2 + width},
        "hovertemplate": "%{text}, epoch %{x}<br>%{y:.4f}<extra></extra>",
    }  # fmt: skip


def _thin(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """All, or `MOST_CURVES`: the best of those that came furthest, and of the others every so many by number."""
    if len(trials) <= MAX_LEARNING_CURVES:
        return list(trials)
    ranked = sorted(trials, key=lambda trial: (-_epoch(trial), -_last(trial)))
    best, others = (
        ranked[: MAX_LEARNING_CURVES // 2],
        sorted(ranked[MAX_LEARNING_CURVES // 2 :], key=lambda trial: trial.number),
    )
    places = np.linspace(0, len(others) - 1, MAX_LEARNING_CURVES - len(best)).astype(int)
    return best + [others[place] for place in places]


def _window(scores: Sequence[float]) -> tuple[list[float] | None, str]:
    """Range of the picture, where a few low scores would squeeze all others, and a sentence on what it leaves out."""
    low, top = float(np.quantile(scores, HIDDEN_SCORE_SHARE)), max(scores)
    margin = 0.06 * (top - low)
    if min(scores) >= low - 3 * margin or not margin:
        return None, ""
    below = sum(score < low - margin for score in scores)
    return [low - margin, top + margin], f" {below:,} low scores lie below the picture; a double click shows all."


def losses(results: SearchResults) -> Iterator[Block]:
    """Both losses of the finalists' trials in the search; before the finals, of the best trials so far."""
    chosen = {number: curve for number in _chosen(results) if (curve := _curve(results, number))}
    if not chosen:
        raise MissingError("No trial has finished an epoch.")
    traces = [
        _line(number, curve, kind, colour, number in results.winner_configs)
        for (number, curve), colour in zip(chosen.items(), LOSS_COLOURS, strict=False)
        for kind in ("train", "val")
    ]  # fmt: skip
    drawn = [value for trace in traces for value in trace["y"] if value]
    layout = {
        "height": 400, "xaxis": axis("epoch", rangemode="tozero"), "hovermode": "closest", "legend": LEGEND,
        "yaxis": log_axis("cross-entropy in nats", drawn or [1.0]),
    }  # fmt: skip
    yield Figure("losses", "Training and validation loss by epoch", traces, layout)
    whose = "finalists' trials, as the search trained them" if results.finalists else "best trials so far"
    yield Note(
        f"Of the {whose}. The training loss is the mean over an epoch while it trains, on augmented images, with label "
        "smoothing, mixing and class weights where the configuration has them; the validation loss is the plain "
        "cross-entropy after the epoch. So the first may lie above the second, and only their courses compare."
    )


def _chosen(results: SearchResults) -> list[int]:
    """Numbers of the trials that are drawn: the finalists', or those that stand highest on the leaderboard."""
    members = [number for finalist in results.finalists for number in finalist.members]
    numbers = members or [int(row["trial"]) for row in board_rows(results.study)]
    return list(dict.fromkeys(numbers))[: len(LOSS_COLOURS)]


def _curve(results: SearchResults, number: int) -> list[EpochReport]:
    return [told.report for told in results.reports.get(number, []) if told.report.status != "failed"]


def _line(number: int, curve: list[EpochReport], kind: str, colour: str, won: bool) -> dict[str, Any]:
    name, dash = ("training", "dot") if kind == "train" else ("validation", "solid")
    values = [getattr(report, f"{kind}_loss") for report in curve]
    return {
        "type": "scatter", "mode": "lines+markers", "name": f"trial {number}{' (winner)' if won else ''}, {name}",
        "x": [report.epoch for report in curve], "y": [round(v, 6) if v > 0 else None for v in values],
        "line": {"color": colour, "dash": dash, "width": 2.5 if won else 1.5}, "marker": {"color": colour, "size": 4},
        "hovertemplate": f"trial {number}, {name}, epoch %{{x}}<br>%{{y:.4f}} nats<extra></extra>",
    }  # fmt: skip
