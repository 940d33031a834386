"""A search on the terminal of a program: the command's live screen, drawn from events."""

import logging
import sys
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from searchspace.api.display.display_state import DisplayState
from searchspace.api.process.search_events import LogMessage, SearchEvent
from searchspace.progress.live_screen import REFRESHES_PER_SECOND
from searchspace.progress.screen_layout import draw_screen
from trainables.common.escaping import printable


class TerminalDisplay:
    """Trials are in a table that is redrawn, and messages are lines above it; warnings are printed at the end."""

    shows_messages = True

    def __init__(self) -> None:
        """On standard output where that is a terminal, else on standard error."""
        self._state = DisplayState()
        self._console = Console(stderr=not sys.stdout.isatty(), highlight=False)
        self._live = Live(
            console=self._console, get_renderable=self._draw, refresh_per_second=REFRESHES_PER_SECOND, transient=True,
            vertical_overflow="crop",
        )  # fmt: skip

    def __enter__(self) -> Self:
        """Show the screen."""
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()
        for line in (*self._state.warnings, self._state.describe_winner()):
            if line:
                self._print(line)

    def show(self, event: SearchEvent) -> None:
        """Take in an event; a message below a warning is printed at once."""
        self._state.update(event)
        if isinstance(event, LogMessage) and event.level < logging.WARNING:
            self._print(event.message)

    def refresh(self) -> None:
        """Nothing: the screen is redrawn by a thread of its own."""

    def _print(self, line: str) -> None:
        self._console.print(Text(f"[{self._state.seconds:6.1f} s] {printable(line)}"))

    def _draw(self) -> RenderableType:
        return draw_screen(self._state.screen)
