"""Whoever is told what goes on: a terminal, a log, or nobody."""

from typing import Protocol


class Reporter(Protocol):
    """Shows a user how far long work is; events are logged."""

    def progress(self, what: str, done: int, total: int) -> None:
        """Tell that `done` of `total` parts of `what` are done; a `total` of 0 is not known. One work at a time."""


class SilentReporter:
    """Nobody."""

    def progress(self, what: str, done: int, total: int) -> None:
        """Nothing."""
