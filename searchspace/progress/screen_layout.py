"""Layout of the live screen: a few lines and a table that fit a terminal of 80 columns."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from searchspace.progress.progress_tracker import TrialStatus
from searchspace.progress.search_progress import SHOWN_EPOCHS, SearchProgress, SlotView
from trainables.common.escaping import printable

BARS = "▁▂▃▄▅▆▇█"
SLOT_COLUMNS = ("slot", "trial", "epoch", "score", "curve", "images/s", "seconds")
"""Of the table of slots."""
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

    search: SearchProgress | None = None
    """The search, while it runs."""
    work: RunningWork = RunningWork()
    """Other work in progress."""
    warnings: Sequence[str] = ()
    """Told so far."""


def draw_screen(state: ScreenState) -> RenderableType:
    """The whole of it."""
    parts: list[RenderableType] = []
    if state.search is not None:
        parts += _search(state.search)
    if state.work.what:
        parts.append(_bar(state.work.what, state.work.done, state.work.total))
    parts += [Text(printable(line), style="yellow", overflow="ellipsis", no_wrap=True) for line in state.warnings[-3:]]
    return Group(*parts)


def _search(search: SearchProgress) -> list[RenderableType]:
    counts = search.counts
    shown = Text("  ").join(
        Text(f"{counts.get(s, 0)} {s}", style=STYLES[s] if counts.get(s) else "dim") for s in STYLES
    )
    head = _bar(search.name, search.ended, search.trials)
    return [head, shown, Text("  ".join(describe_time(search)), style="dim"), *_best(search), _slots(search)]


def _bar(what: str, done: int, total: int) -> RenderableType:
    grid = Table.grid(padding=(0, 1), expand=False)
    bar = ProgressBar(total=total or None, completed=done, width=30, pulse=not total)
    grid.add_row(Text(what, style="bold"), bar, Text(f"{done:,}/{total:,}" if total else ""))
    return grid


def describe_time(search: SearchProgress) -> list[str]:
    """Elapsed and remaining time and money, and training's share of the time."""
    parts, remaining = [f"{format_clock(search.elapsed)} elapsed"], search.remaining
    if remaining is not None:
        parts.append(f"about {format_clock(remaining)} remaining" if remaining > 0 else "longer than forecast")
    if search.price:
        parts.append(f"cost {search.price * search.elapsed / 3600:.2f}")
        if remaining is not None and remaining > 0:
            parts.append(f"about {search.price * remaining / 3600:.2f} remaining")
    if search.training_share is not None:
        parts.append(f"training {100 * search.training_share:.0f} % of the time when warm")
    return parts


def describe_best(search: SearchProgress) -> str:
    """The best trial and its score; empty before there is one."""
    if search.best is None:
        return ""
    fidelity = "" if search.best.complete else f" at epoch {search.best.epoch} of {search.max_epochs}"
    return f"best: trial {search.best.trial}, validation {search.metric} {search.best.score:.4f}{fidelity}"


def _best(search: SearchProgress) -> list[RenderableType]:
    if search.best is None:
        return []
    return [
        Text(describe_best(search), style="bold green" if search.best.complete else "bold"),
        Text(search.best.description, style="dim"),
    ]


def _slots(search: SearchProgress) -> RenderableType:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in SLOT_COLUMNS:
        table.add_column(
            name, justify="left" if name == "curve" else "right", min_width=SHOWN_EPOCHS if name == "curve" else 5
        )
    for row in slot_rows(search):
        table.add_row(*row)
    return table


def slot_rows(search: SearchProgress) -> list[tuple[str, ...]]:
    """One row a slot, a text for each of `SLOT_COLUMNS`."""
    scores = [score for slot in search.slots if slot.running for score in slot.running.scores]
    low, high = min(scores, default=0.0), max(scores, default=1.0)
    return [(str(number), *_slot_cells(slot, search.max_epochs, low, high)) for number, slot in enumerate(search.slots)]


def _slot_cells(slot: SlotView, epochs: int, low: float, high: float) -> tuple[str, ...]:
    running = slot.running
    if running is None:
        return ("", "", "", "" if slot.is_warm else "starting", "", "")
    if not running.scores:
        return str(running.trial), f"0/{epochs}", "", "", "", ""
    return (
        str(running.trial),
        f"{running.epoch}/{epochs}",
        f"{running.scores[-1]:.4f}",
        sparkline(running.scores, low, high),
        f"{running.images_per_second:,.0f}",
        f"{running.total_seconds:.1f}",
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
