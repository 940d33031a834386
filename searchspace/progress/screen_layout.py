"""How a running search looks: a few lines and a table that stay in place, and fit a terminal of 80 columns."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from searchspace.progress.progress_tracker import Account, Lane, Standing
from trainables.common.escaping import printable
from trainables.metrics.metric_registry import METRICS

BARS = "▁▂▃▄▅▆▇█"
CURVE = 18
"""Epochs that a sparkline shows."""
STYLES: dict[Standing, str] = {
    "running": "cyan",
    "at rung": "blue",
    "complete": "green",
    "stopped": "",
    "failed": "red",
}


@dataclass(frozen=True)
class Work:
    """Something that takes long."""

    what: str = ""
    """What it is; empty is nothing."""
    done: int = 0
    """Parts that are done."""
    total: int = 0
    """Parts; 0 is not known."""


@dataclass(frozen=True)
class Scene:
    """All that a screen shows."""

    seconds: float
    """Seconds since the command began."""
    account: Account | None = None
    """Of the search, while it runs."""
    work: Work = Work()
    """What else goes on."""
    warnings: Sequence[str] = ()
    """Told so far."""
    price: float = 0.0
    """What an hour costs; 0 is not known."""


def draw(scene: Scene) -> RenderableType:
    """The whole of it."""
    parts: list[RenderableType] = []
    if scene.account is not None:
        parts += _search(scene, scene.account)
    if scene.work.what:
        parts.append(_bar(scene.work.what, scene.work.done, scene.work.total))
    parts += [Text(printable(line), style="yellow", overflow="ellipsis", no_wrap=True) for line in scene.warnings[-3:]]
    return Group(*parts)


def _search(scene: Scene, account: Account) -> list[RenderableType]:
    counts = account.counts
    shown = Text("  ").join(Text(f"{counts[s]} {s}", style=STYLES[s] if counts[s] else "dim") for s in STYLES)
    ended = counts["complete"] + counts["stopped"] + counts["failed"] + counts["at rung"]
    head = _bar(printable(account.spec.name), ended, account.spec.trials)
    return [head, shown, Text(_time(scene, account), style="dim"), *_best(account), _slots(account)]


def _bar(what: str, done: int, total: int) -> RenderableType:
    grid = Table.grid(padding=(0, 1), expand=False)
    bar = ProgressBar(total=total or None, completed=done, width=30, pulse=not total)
    grid.add_row(Text(what, style="bold"), bar, Text(f"{done:,}/{total:,}" if total else ""))
    return grid


def _time(scene: Scene, account: Account) -> str:
    """What is gone, what is left, of time and money; and what the time was for."""
    left = account.left()
    told = [f"{in_clock(scene.seconds)} gone"]
    told += [f"about {in_clock(left)} left" if left > 0 else "longer than forecast"] if left is not None else []
    if scene.price:
        told.append(f"cost {scene.price * scene.seconds / 3600:.2f}")
        told += [f"about {scene.price * left / 3600:.2f} to come"] if left is not None and left > 0 else []
    if account.epochs:
        told.append(f"training {100 * account.training_share:.0f} % of the time when warm")
    return "  ".join(told)


def _best(account: Account) -> list[RenderableType]:
    best, words = account.best, METRICS[account.spec.metric].label
    if best is None:
        return []
    fidelity = "" if best.complete else f" at epoch {best.epoch} of {account.spec.max_epochs}"
    text = f"best: trial {best.trial}, validation {words} {best.score:.4f}{fidelity}"
    return [
        Text(text, style="bold green" if best.complete else "bold"),
        Text(printable(account.describe(best.trial)), style="dim"),
    ]


def _slots(account: Account) -> RenderableType:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("slot", "trial", "epoch", "score", "curve", "images/s", "seconds"):
        table.add_column(
            name, justify="left" if name == "curve" else "right", min_width=CURVE if name == "curve" else 5
        )
    scores = [score for lane in account.lanes if lane for score in lane.scores]
    low, high = min(scores, default=0.0), max(scores, default=1.0)
    for slot, lane in enumerate(account.lanes):
        row = _lane(lane, account.spec.max_epochs, low, high) if lane else ("", "", "", "", "", "")
        idle = slot >= account.warm_slots and lane is None
        table.add_row(str(slot), *(("", "", "", "starting", "", "") if idle else row))
    return table


def _lane(lane: Lane, epochs: int, low: float, high: float) -> tuple[str, ...]:
    newest = lane.newest
    if newest is None or not lane.scores:
        return str(lane.trial), f"0/{epochs}", "", "", "", ""
    rate = f"{newest.images_per_second:,.0f}"
    curve = sparkline(lane.scores[-CURVE:], low, high)
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


def in_clock(seconds: float) -> str:
    """As on a clock: minutes and seconds, hours before them where there are any."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
