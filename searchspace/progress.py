"""What a running search says: one plain line for each event that matters, and its own account of the time."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from trainables.config import EpochReport
from trainables.printable import printable
from trainables.scores import METRICS, MetricName

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
        """Print one line at once, whatever names are in it."""
        print(f"[{self.seconds:6.1f} s] {printable(line)}", flush=True)


class Progress:
    """Prints as trials end; a listener of the searcher."""

    def __init__(self, trials: int, slots: int, metric: MetricName, clock: Clock) -> None:
        """Count up to `trials` on `slots` gangs, by `clock`; scores are called by their `metric`."""
        self._trials, self._slots, self._clock = trials, slots, clock
        self._words = METRICS[metric].words
        self._warm: dict[int, float] = {}
        self._heard: set[int] = set()
        self._best = -math.inf
        self._troubled = False
        self._first_step = 0.0
        self.epochs = 0
        self.training_seconds = 0.0

    def look_back(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Hear of the trials that a search had, as its board tells them, before it was resumed."""
        over = [row for row in rows if row["status"] not in {"running", "waiting"}]
        self._heard = {row["trial"] for row in over}
        self._best = max((row["score"] for row in over if row["status"] == "complete"), default=-math.inf)

    def warm(self, slot: int, info: "GangInfo") -> None:
        """Hear that a gang can train."""
        self._warm[slot] = self._clock.seconds
        what = f"{info.device}, {info.precision}, {info.threads} threads a worker"
        self._clock.say(f"gang {len(self._warm)}/{self._slots} warm: {what}")

    def __call__(self, event: str, number: int, report: EpochReport | None) -> None:
        """Hear of one event of one trial."""
        if report is None:
            return
        if report.trouble and not self._troubled:
            self._troubled = True
            self._clock.say(f"warning: trial {number} trains on without a new checkpoint: {report.trouble}")
        if event == "epoch":
            if not self.epochs:
                self._first_step = self._clock.seconds - report.seconds
            self.epochs += 1
            self.training_seconds += report.seconds
            return
        if event == "pruned" and number in self._heard:
            return  # it was said to wait, and what it waited for did not come
        self._heard.add(number)
        if event in {"goes on", "audited"}:
            word = "goes on" if event == "goes on" else "was stopped, and runs on for the audit,"
            self._clock.say(f"{len(self._heard)}/{self._trials}  trial {number}  {word} from epoch {report.epoch}")
            return
        best = event == "complete" and report.score > self._best
        if best:
            self._best = report.score
        mark = "  best so far" if best else ""
        self._clock.say(f"{len(self._heard)}/{self._trials}  trial {number}  {self._outcome(event, report)}{mark}")

    def account(self) -> str:
        """Where the search's time went, as shares of all slots' time since the command began."""
        whole = self._clock.seconds * self._slots
        start = sum(self._warm.values(), 0.0)
        warm = self.training_seconds / max(1e-9, whole - start)
        shares = {"training": self.training_seconds, "decisions": whole - self.training_seconds - start, "start": start}
        return (
            f"search: {len(self._heard)} trials, {self.epochs} epochs in {self._clock.seconds:.1f} s, "
            f"the first step after {self._first_step:.1f} s; "
            + " · ".join(f"{name} {100 * x / whole:.0f} %" for name, x in shares.items())
            + f" (of the time when warm, training {100 * warm:.1f} %)"
        )

    def _outcome(self, event: str, report: EpochReport) -> str:
        if event == "failed":
            return f"failed after epoch {report.epoch}: {report.reason}"
        word = {"complete": "complete", "waits": "waits"}.get(event, "stopped")
        note = f", micro-batch {report.micro_batch} after out of memory" if report.micro_batch else ""
        score = f"validation {self._words} {report.score:.4f}"
        return f"{word} at epoch {report.epoch}, {score}, {report.total_seconds:.1f} s{note}"


def to_all(*listeners: Callable[..., None]) -> Callable[..., None]:
    """A listener that tells several."""

    def tell(*heard: Any) -> None:
        for listener in listeners:
            listener(*heard)

    return tell
