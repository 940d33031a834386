"""What every early-stopping rule does: the seam between the search and the rules."""

from typing import Protocol

from searchspace.stopping.rung import Mark, Standing


class Rule(Protocol):
    """Hears of every epoch of every trial, in the order they end, and says who trains on."""

    def report(self, mark: Mark) -> bool:
        """Hear of a trial's epoch; whether the trial trains on at once, rather than waits."""

    def fail(self, trial: int, kind: str = "") -> None:
        """Hear that a trial of a kind failed."""

    def promote(self) -> int | None:
        """A waiting trial that may go on now, and is taken to do so."""

    def go_on(self, trial: int) -> None:
        """Hear that a waiting trial goes on, as it did in a part of the search that is being recalled."""

    def drain(self) -> None:
        """Hear that no new trials will come."""

    def standing(self, trial: int) -> Standing | None:
        """Where a waiting trial stands; None for one that does not wait."""
