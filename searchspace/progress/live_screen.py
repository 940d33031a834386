"""A live screen on a terminal: the current state is updated in place, and events are printed above it."""

import logging
import os
import sys

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from searchspace.cli.command_start import EVENTS_VARIABLE
from searchspace.cli.console_log import format_line
from searchspace.cli.output import surviving_streams
from searchspace.progress.console_reporter import ConsoleReporter
from searchspace.progress.plain_lines import PlainLines
from searchspace.progress.progress_tracker import ProgressTracker, TrialListener
from searchspace.progress.screen_layout import RunningWork, ScreenState, draw_screen
from searchspace.progress.search_progress import read_progress

REFRESHES_PER_SECOND = 4
"""Of the screen, a second."""


class LiveScreen(ConsoleReporter):
    """A reporter for terminals: trials are in a table that is redrawn, and other events are lines above it."""

    def __init__(self, price: float = 0.0) -> None:
        """Begin with nothing on it; an hour costs `price`, where that is known."""
        super().__init__()
        self._price = price
        self._tracker: ProgressTracker | None = None
        self._shown = RunningWork()
        self._warnings: list[str] = []
        # The console follows `sys.stdout`, which changes when libraries' output is redirected.
        self._console = Console(highlight=False)
        self._live = Live(
            console=self._console, get_renderable=self._draw, refresh_per_second=REFRESHES_PER_SECOND, transient=True,
            redirect_stdout=False, redirect_stderr=False, vertical_overflow="crop",
        )  # fmt: skip

    @property
    def restart_options(self) -> list[str]:
        """Command-line options that make another like this."""
        return ["--price-per-hour", str(self._price)] if self._price else []

    def show(self, level: int, message: str) -> None:
        """Print a message above what stays in place; a warning joins the others, and is printed at the end."""
        if self._is_gone():
            super().show(level, message)
        elif level >= logging.WARNING and self._live.is_started:
            self._warnings.append(format_line(level, message))
        else:
            self._console.print(Text(self._stamped(format_line(level, message))))

    def progress(self, what: str, done: int, total: int) -> None:
        """Move the bar of the work that is under way, until all of it is done."""
        if self._is_gone():
            super().progress(what, done, total)
            return
        self._shown = RunningWork() if total and done >= total else RunningWork(what, done, total)
        self._show()

    def show_progress_of(self, tracker: ProgressTracker) -> TrialListener:
        """Show the search of `tracker` while it runs; once the terminal is gone, in lines."""
        self._tracker = tracker
        self._show()
        return PlainLines(tracker, self._show_without_terminal)

    def _show_without_terminal(self, level: int, message: str) -> None:
        """Print what the screen shows otherwise, once the terminal is gone."""
        if self._is_gone():
            self.show(level, message)

    def hide_search(self) -> None:
        """Show the search no more."""
        self._tracker = None

    def close(self) -> None:
        """Clear what stayed in place, and print what has to last."""
        if self._live.is_started:
            self._end_live()
        super().close()

    def _end_live(self) -> None:
        self._live.stop()
        for line in self._warnings:
            self._console.print(Text(self._stamped(line)))
        self._warnings.clear()

    def _is_gone(self) -> bool:
        """Whether the terminal has gone; what stayed in place is taken down then."""
        gone = any(stream.lost for stream in surviving_streams() if stream is sys.stdout)
        if gone and self._live.is_started:
            self._end_live()
        return gone

    def _show(self) -> None:
        if not self._live.is_started and not self._is_gone():
            self._live.start()
            self._console.show_cursor(True)  # so that nothing has to be put right, however the process ends

    def _draw(self) -> RenderableType:
        tracker = self._tracker
        progress = read_progress(tracker, self.seconds, self._price) if tracker else None
        return draw_screen(ScreenState(progress, self._shown, tuple(self._warnings)))


def open_reporter(verbose: bool = False, price: float = 0.0) -> ConsoleReporter:
    """A live screen where there is a terminal that can show one; plain lines elsewhere, and if asked to be verbose.

    Where a program started this command to hear its events, it hears them, and nothing is printed.
    """
    if os.environ.get(EVENTS_VARIABLE):
        from searchspace.progress.event_reporter import open_event_reporter

        return open_event_reporter(price)
    alive = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    return LiveScreen(price) if alive and not verbose else ConsoleReporter(verbose)
