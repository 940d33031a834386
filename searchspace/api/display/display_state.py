"""What a search's events say of its present state, as displays show it."""

import logging
import time
from dataclasses import dataclass, field

from searchspace.api.process.search_events import (
    LogMessage,
    PhaseEnded,
    PhaseStarted,
    ProgressUpdated,
    SearchEnded,
    SearchEvent,
    SearchStarted,
    WinnerFound,
    WorkProgress,
)
from searchspace.cli.console_log import format_line
from searchspace.progress.screen_layout import RunningWork, ScreenState
from searchspace.progress.search_progress import SearchProgress
from trainables.metrics.metric_registry import METRICS


@dataclass
class DisplayState:
    """The newest of each thing."""

    name: str = ""
    """Name of the search, once it has its folder."""
    seconds: float = 0.0
    """When the newest event happened, in seconds since the search's process began."""
    phase: str = "preparation"
    """The phase."""
    search: SearchProgress | None = None
    """The newest progress of the trials."""
    work: RunningWork = field(default_factory=RunningWork)
    """Other work in progress."""
    warnings: list[str] = field(default_factory=list)
    """All so far."""
    winner: WinnerFound | None = None
    """The winner, once it was tested."""
    ended: SearchEnded | None = None
    """How the search ended."""

    _heard: float = field(default_factory=time.monotonic)

    @property
    def elapsed(self) -> float:
        """Seconds since the search's process began."""
        return self.seconds + (time.monotonic() - self._heard if self.ended is None else 0.0)

    def update(self, event: SearchEvent) -> None:
        """Take in one event."""
        self.seconds, self._heard = max(self.seconds, event.seconds), time.monotonic()
        match event:
            case SearchStarted():
                self.name = event.name
            case PhaseStarted():
                self.phase = event.name
            case PhaseEnded():
                self.work = RunningWork()
            case ProgressUpdated():
                self.search = event.progress
            case WorkProgress():
                is_done = event.total and event.done >= event.total
                self.work = RunningWork() if is_done else RunningWork(event.what, event.done, event.total)
            case LogMessage() if event.level >= logging.WARNING:
                self.warnings.append(format_line(event.level, event.message))
            case WinnerFound():
                self.winner = event
            case SearchEnded():
                self.ended = event
            case _:
                pass

    @property
    def screen(self) -> ScreenState:
        """What a terminal shows: the trials only while they run."""
        return ScreenState(self.search if self.phase == "search" else None, self.work, tuple(self.warnings))

    def describe_winner(self) -> str:
        """The winner's scores; empty before it is known."""
        if self.winner is None:
            return ""
        metric, test = METRICS[self.winner.metric].label, self.winner.test
        who = "an ensemble" if len(self.winner.members) > 1 else f"trial {self.winner.trial}"
        low, high = test[f"{self.winner.metric}_low"], test[f"{self.winner.metric}_high"]
        said = (
            f"winner: {who}, validation {metric} {self.winner.score:.4f}, test {metric} {test[self.winner.metric]:.4f}"
        )
        return f"{said} ({low:.4f} to {high:.4f})"
