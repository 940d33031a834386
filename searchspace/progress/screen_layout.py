"""Layout of the live screen: a few lines and a table that fit a terminal of 80 columns."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from searchspace.budget.presets import MAX_COUNT
from searchspace.progress.progress_tracker import ProgressTracker, SlotProgress, TrialStatus
from trainables.common.escaping import printable
from trainables.metrics.metric_registry import METRICS

BARS = "▁▂▃▄▅▆▇█"
SPARKLINE_EPOCHS = 18
"""Epochs that a sparkline shows."""
STYLES: dict[TrialStatus, str] = {
    "running": "cyan",
    "at rung": "blue",
    "complete": "green",
    "stopped": "",
    "failed": "red",
}


@dataclass(frozen=True)
class RunningWork:
    """Something that takes long."""

    what: str = ""
    """What it is; empty is nothing."""
    done: int = 0
    """Parts that are done."""
    total: int = 0
    """Parts; 0 is not known."""


@dataclass(frozen=True)
class ScreenState:
    """All that a screen shows."""

    seconds: float
    """Seconds since the command began."""
    tracker: ProgressTracker | None = None
    """Of the search, while it runs."""
    work: RunningWork = RunningWork()
    """Other work in progress."""
    warnings: Sequence[str] = ()
    """Told so far."""
    price: float = 0.0
    """What an hour costs; 0 is not known."""


def draw_screen(state: ScreenState) -> RenderableType:
    """The whole of it."""
    parts: list[RenderableType] = []
    if state.tracker is not None:
        parts += _search(state, state.tracker)
    if state.work.what:
        parts.append(_bar(state.work.what, state.work.done, state.work.total))
    parts += [Text(printable(line), style="yellow", overflow="ellipsis", no_wrap=True) for line in state.warnings[-3:]]
    return Group(*parts)


def _search(state: ScreenState, tracker: ProgressTracker) -> list[RenderableType]:
    counts = tracker.counts
    shown = Text("  ").join(Text(f"{counts[s]} {s}", style=STYLES[s] if counts[s] else "dim") for s in STYLES)
    ended = counts["complete"] + counts["stopped"] + counts["failed"] + counts["at rung"]
    spec = tracker.spec
    head = _bar(printable(spec.name), ended, 0 if spec.trials == MAX_COUNT else spec.trials)
    return [head, shown, Text(_time(state, tracker), style="dim"), *_best(tracker), _slots(tracker)]


def _bar(what: str, done: int, total: int) -> RenderableType:
    grid = Table.grid(padding=(0, 1), expand=False)
    bar = ProgressBar(total=total or None, completed=done, width=30, pulse=not total)
    grid.add_row(Text(what, style="bold"), bar, Text(f"{done:,}/{total:,}" if total else ""))
    return grid


def _time(state: ScreenState, tracker: ProgressTracker) -> str:
    """Elapsed and remaining time and money, and training's share of the time."""
    parts, remaining = [f"{format_clock(state.seconds)} elapsed"], tracker.remaining_seconds()
    if remaining is not None:
        parts.append(f"about {format_clock(remaining)} remaining" if remaining > 0 else "longer than forecast")
    if state.price:
        parts.append(f"cost {state.price * state.seconds / 3600:.2f}")
        if remaining is not None and remaining > 0:
            parts.append(f"about {state.price * remaining / 3600:.2f} remaining")
    if tracker.epochs:
        parts.append(f"training {100 * tracker.training_share:.0f} % of the time when warm")
    return "  ".join(parts)


def _best(tracker: ProgressTracker) -> list[RenderableType]:
    best, words = tracker.best, METRICS[tracker.spec.metric].label
    if best is None:
        return []
    fidelity = "" if best.complete else f" at epoch {best.epoch} of {tracker.spec.max_epochs}"
    text = f"best: trial {best.trial}, validation {words} {best.score:.4f}{fidelity}"
    return [
        Text(text, style="bold green" if best.complete else "bold"),
        Text(printable(tracker.describe_trial(best.trial)), style="dim"),
    ]


def _slots(tracker: ProgressTracker) -> RenderableType:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("slot", "trial", "epoch", "score", "curve", "images/s", "seconds"):
        table.add_column(
            name, justify="left" if name == "curve" else "right", min_width=SPARKLINE_EPOCHS if name == "curve" else 5
        )
    scores = [score for lane in tracker.slot_progress if lane for score in lane.scores]
    low, high = min(scores, default=0.0), max(scores, default=1.0)
    for slot, lane in enumerate(tracker.slot_progress):
        row = _lane(lane, tracker.spec.max_epochs, low, high) if lane else ("", "", "", "", "", "")
        idle = slot >= tracker.warm_slots and lane is None
        table.add_row(str(slot), *(("", "", "", "starting", "", "") if idle else row))
    return table


def _lane(lane: SlotProgress, epochs: int, low: float, high: float) -> tuple[str, ...]:
    newest = lane.newest
    if newest is None or not lane.scores:
        return str(lane.trial), f"0/{epochs}", "", "", "", ""
    rate = f"{newest.images_per_second:,.0f}"
    curve = sparkline(lane.scores[-SPARKLINE_EPOCHS:], low, high)
    return (
        str(lane.trial),
        f"{newest.epoch}/{epochs}",
        f"{newest.score:.4f}",
        curve,
        rate,
        f"{newest.total_seconds:.1f}",
    )


def sparkline(values: Sequence[float], low: float, high: float) -> str:
    """One block a value, its height from `low` to `high`."""
    steps = len(BARS) - 1
    return "".join(BARS[round(steps * (value - low) / (high - low))] if high > low else BARS[steps] for value in values)


def format_clock(seconds: float) -> str:
    """As a clock shows them: minutes and seconds, hours before them where there are any."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
