"""What a running search says: one plain line for each event that matters, and its own account of the time."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from trainables.config import EpochReport

if TYPE_CHECKING:
    from trainables.mailbox import GangInfo


class Clock:
    """Says lines with the seconds since the start in front."""

    def __init__(self) -> None:
        """Start now."""
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start

    def say(self, line: str) -> None:
        """Print one line at once."""
        print(f"[{self.seconds:6.1f} s] {line}", flush=True)


class Progress:
    """Prints as trials end; a listener of the searcher."""

    def __init__(self, trials: int, clock: Clock) -> None:
        """Count up to `trials`, by `clock`."""
        self._trials, self._clock = trials, clock
        self._slots = 0
        self._warm = 0.0
        self._ended = 0
        self._best = -1.0
        self.epochs = 0
        self.training_seconds = 0.0

    def ready(self, gangs: "Sequence[GangInfo]") -> None:
        """Hear that the gangs can train."""
        if gangs:
            self._slots, self._warm = len(gangs), self._clock.seconds
            first = gangs[0]
            self._clock.say(
                f"{len(gangs)} gangs warm: {first.device}, {first.precision}, {first.threads} threads a worker"
            )

    def __call__(self, event: str, number: int, report: EpochReport | None) -> None:
        """Hear of one event of one trial."""
        if report is None:
            return
        if event == "epoch":
            self.epochs += 1
            self.training_seconds += report.seconds
            return
        self._ended += 1
        best = event == "complete" and report.score > self._best
        if best:
            self._best = report.score
        mark = "  best so far" if best else ""
        self._clock.say(f"{self._ended}/{self._trials}  trial {number}  {_outcome(event, report)}{mark}")

    def account(self) -> str:
        """Where the search's time went."""
        wall = self._clock.seconds - self._warm
        share = self.training_seconds / max(1e-9, wall * self._slots)
        return (
            f"search: {self._ended} trials, {self.epochs} epochs in {wall:.1f} s after a start of {self._warm:.1f} s; "
            f"the gangs trained {share:.0%} of that time"
        )


def _outcome(event: str, report: EpochReport) -> str:
    if event == "failed":
        return f"failed after epoch {report.epoch}: {report.reason}"
    word = "complete" if event == "complete" else "stopped"
    note = f", micro-batch {report.micro_batch} after out of memory" if report.micro_batch else ""
    return f"{word} at epoch {report.epoch}, validation accuracy {report.score:.4f}, {report.total_seconds:.1f} s{note}"
