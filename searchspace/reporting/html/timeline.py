"""Timeline: which trial each slot trained, and when."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from optuna.trial import TrialState

from searchspace.reporting.html.blocks import LEGEND, Block, Figure, MissingError, Note, axis
from searchspace.reporting.results import SearchResults
from searchspace.reporting.tables.trials import STATE_LABELS

MAX_EPOCH_GAP_S = 1.0
"""Seconds between two epochs of a trial on a slot, up to which it is one bar."""
STATE_COLOURS = {
    TrialState.COMPLETE: "var(--accent)", TrialState.PRUNED: "var(--ramp-1)", TrialState.FAIL: "var(--bad)",
    TrialState.RUNNING: "var(--best)",
}  # fmt: skip
TIMELINE_LABELS = STATE_LABELS | {TrialState.RUNNING: "unfinished"}


@dataclass(frozen=True)
class Span:
    """One trial on one slot, from an epoch's start to the same or a later epoch's end."""

    trial: int
    slot: int
    start: float
    """Seconds since 1970."""
    end: float
    """The same."""
    epochs: int
    """How many."""


def trial_spans(results: SearchResults) -> list[Span]:
    """What each slot trained, in order of its start; epochs that follow each other are one."""
    epochs = [
        Span(number, told.report.slot, told.at - told.report.seconds, told.at, 1)
        for number, all_told in results.reports.items()
        for told in all_told
        if told.report.slot is not None and told.at is not None and told.report.status != "failed"
    ]
    joined: list[Span] = []
    for span in sorted(epochs, key=lambda span: (span.slot, span.start)):
        last = joined[-1] if joined else None
        if last and (last.slot, last.trial) == (span.slot, span.trial) and span.start - last.end <= MAX_EPOCH_GAP_S:
            joined[-1] = Span(span.trial, span.slot, last.start, span.end, last.epochs + 1)
        else:
            joined.append(span)
    return sorted(joined, key=lambda span: span.start)


def timeline(results: SearchResults) -> Iterator[Block]:
    """A bar for each stay of a trial on a slot."""
    found = trial_spans(results)
    if not found:
        raise MissingError("No epoch was recorded with the slot that trained it.")
    start, end = found[0].start, max(span.end for span in found)
    size, unit = (60.0, "minutes") if end - start > 300 else (1.0, "seconds")
    states = {trial.number: trial.state for trial in results.trials}
    traces = [
        {
            "type": "bar", "orientation": "h", "name": TIMELINE_LABELS[state],
            "marker": {"color": colour, "line": {"width": 0}},
            "y": [f"slot {span.slot}" for span in chosen], "width": 0.6,
            "base": [round((span.start - start) / size, 3) for span in chosen],
            "x": [round((span.end - span.start) / size, 4) for span in chosen],
            "text": [f"trial {span.trial}: {span.epochs} epochs, {span.end - span.start:.1f} s" for span in chosen],
            "textposition": "none", "hovertemplate": "%{text}<extra></extra>",
        }
        for state, colour in STATE_COLOURS.items()
        if (chosen := [span for span in found if states[span.trial] == state])
    ]  # fmt: skip
    slots = sorted({span.slot for span in found}, reverse=True)
    layout = {
        "height": 150 + 42 * len(slots), "barmode": "overlay", "xaxis": axis(f"{unit} since the first epoch began"),
        "yaxis": {"type": "category", "categoryarray": [f"slot {s}" for s in slots], "automargin": True},
        "legend": LEGEND, "showlegend": True,
    }  # fmt: skip
    yield Figure("timeline", "Which trial each slot trained, and when", traces, layout)
    yield Note(_account(found, len(slots), end - start, results))


def _account(found: Sequence[Span], slots: int, seconds: float, results: SearchResults) -> str:
    busy = sum(span.end - span.start for span in found) / max(seconds * slots, 1e-9)
    resumed = results.record.get("resumed", [])
    pauses = f" The search was resumed {len(resumed)} times; gaps are when it was away." if resumed else ""
    return f"Colour is what became of the trial. Slots were in an epoch for {busy:.0%} of the time shown.{pauses}"
