"""Whoever is told what goes on: a terminal, a log, or nobody."""

from typing import Protocol


class Teller(Protocol):
    """Shows a user events, and how far long work is."""

    def say(self, line: str) -> None:
        """Tell of one event that matters."""

    def step(self, what: str, done: int, total: int) -> None:
        """Tell that `done` of `total` parts of `what` are done; a `total` of 0 is not known. One work at a time."""


class Silence:
    """Nobody."""

    def say(self, line: str) -> None:
        """Nothing."""

    def step(self, what: str, done: int, total: int) -> None:
        """Nothing."""
