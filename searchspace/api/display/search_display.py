"""What a program shows of a search that it runs: nothing, a terminal's live screen, or a notebook's live table."""

import os
import sys
from importlib.util import find_spec
from types import TracebackType
from typing import Literal, Protocol, Self

from searchspace.api.display.notebook_display import NotebookDisplay, is_notebook
from searchspace.api.display.terminal_display import TerminalDisplay
from searchspace.api.process.search_events import SearchEvent
from trainables.common.errors import UserError, suggest

ProgressStyle = Literal["auto", "jupyter", "terminal", "none"]
STYLES: tuple[ProgressStyle, ...] = ("auto", "jupyter", "terminal", "none")


class SearchDisplay(Protocol):
    """Shows a search from its events."""

    shows_messages: bool
    """Whether it shows warnings itself."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End with what is to stay."""

    def show(self, event: SearchEvent) -> None:
        """Take note of an event."""

    def refresh(self) -> None:
        """Draw what has changed; called often."""


class QuietDisplay:
    """Shows nothing."""

    shows_messages = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def show(self, event: SearchEvent) -> None:
        """Show nothing."""

    def refresh(self) -> None:
        """Show nothing."""


def open_display(progress: str) -> SearchDisplay:
    """The display that `progress` asks for; `auto` is a notebook's, a terminal's, or none, by where this runs.

    Raises `UserError` for another one, and where there is no IPython for a notebook's.
    """
    if progress not in STYLES:
        raise UserError(f"progress={progress!r}: not one of {', '.join(STYLES)}{suggest(progress, STYLES)}")
    style = _suitable() if progress == "auto" else progress
    if style == "jupyter":
        if find_spec("IPython") is None:
            raise UserError("progress='jupyter': IPython is not installed; give progress='terminal' or 'none'")
        return NotebookDisplay()
    return TerminalDisplay() if style == "terminal" else QuietDisplay()


def _suitable() -> ProgressStyle:
    if is_notebook():
        return "jupyter"
    has_terminal = any(stream is not None and stream.isatty() for stream in (sys.stdout, sys.stderr))
    return "terminal" if has_terminal and os.environ.get("TERM", "dumb") != "dumb" else "none"
