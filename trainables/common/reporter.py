"""The interface of progress reporters: a terminal's, a log's, or a silent one."""

from typing import Protocol


class Reporter(Protocol):
    """Shows a user how far long work is; events are logged."""

    def progress(self, what: str, done: int, total: int) -> None:
        """Show that `done` of `total` parts of `what` are done; a `total` of 0 is not known. One work at a time."""


class SilentReporter:
    """A reporter that shows nothing."""

    def progress(self, what: str, done: int, total: int) -> None:
        """Do nothing."""
