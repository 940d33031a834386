"""What a program shows of a search that it runs: nothing, a terminal's live screen, or a notebook's live table."""

from types import TracebackType
from typing import Literal, Protocol, Self

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
    """The display that `progress` asks for; `auto` is a notebook's, a terminal's, or none, by where this runs."""
    if progress not in STYLES:
        raise UserError(f"progress={progress!r}: not one of {', '.join(STYLES)}{suggest(progress, STYLES)}")
    return QuietDisplay()
