"""Tracks a running search: the state of its trials, the work of its slots, and how the time is spent."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from searchspace.progress.slot_time import SlotTime
from searchspace.spec import SearchSpec
from trainables.config import EpochReport

if TYPE_CHECKING:
    from trainables.workers.slot_state import GangInfo

logger = logging.getLogger(__name__)

TrialStatus = Literal["running", "at rung", "complete", "stopped", "failed"]
STATUS_AFTER: dict[str, TrialStatus] = {
    "start": "running", "epoch": "running", "resumed": "running", "audited": "running", "paused": "at rung",
    "complete": "complete", "pruned": "stopped", "failed": "failed",
}  # fmt: skip
"""By the searcher's events; the leaderboard uses the same words."""


@dataclass(frozen=True)
class BestTrial:
    """A trial that did well."""

    complete: bool
    """Whether it ran its full length."""
    epoch: int
    """Epochs it has."""
    score: float
    """Validation score then."""
    trial: int
    """Its number."""

    def is_better_than(self, other: "BestTrial") -> bool:
        """Whether it is better: at full length before any other, longer before shorter, then by score.

        Of equal ones neither is, so that the earlier one stays.
        """
        return (self.complete, self.epoch, self.score) > (other.complete, other.epoch, other.score)


@dataclass(frozen=True)
class SlotProgress:
    """The current work of one slot."""

    trial: int
    """Number of the trial."""
    scores: tuple[float, ...] = ()
    """Of its epochs so far."""
    newest: EpochReport | None = None
    """Its last epoch, if it has one."""
    slot: int | None = None
    """The slot it is on; None until an epoch of it comes from there."""


class Stopwatch(Protocol):
    """Measures the time since a command began."""

    @property
    def seconds(self) -> float:
        """Seconds since the start."""


class TrialListener(Protocol):
    """Receives the events of the engine and of the gangs."""

    def on_gang_ready(self, slot: int, info: "GangInfo") -> None:
        """Hear that a gang can train."""

    def __call__(self, event: str, number: int, report: EpochReport | None) -> None:
        """Hear of one event of one trial."""


class ProgressTracker:
    """Counts; a listener of the searcher."""

    def __init__(self, spec: SearchSpec, slots: int, stopwatch: Stopwatch) -> None:
        """Begin with nothing, on `slots` slots, by the time of `stopwatch`."""
        self.spec, self.slots, self._stopwatch = spec, slots, stopwatch
        self.statuses: dict[int, TrialStatus] = {}
        self._running: dict[int, SlotProgress] = {}
        self.best: BestTrial | None = None
        self.epochs = 0
        self.slot_time = SlotTime(slots, lambda: stopwatch.seconds)
        self.remaining_seconds: Callable[[], float | None] = lambda: None
        """Seconds that are left by the newest forecast, if there is one."""
        self.describe_trial: Callable[[int], str] = lambda _trial: ""
        """A trial's configuration, in words."""
        self.read_hyperparameters: Callable[[int], Mapping[str, Any]] = lambda _trial: {}
        """A trial's hyperparameters by name, as far as they were drawn or pinned."""
        self.evaluated: set[int] = set()
        """Trials of which something was heard: they ended, or came to a rung."""
        self._troubled = False
        self._scores: dict[int, tuple[float, ...]] = {}
        self._first_step = 0.0

    def load_earlier_trials(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Load the trials that a search had before it was resumed, as its leaderboard shows them."""
        self.statuses = {row["trial"]: row["status"] for row in rows if row["status"] in STATUS_AFTER.values()}
        self.evaluated = {number for number, standing in self.statuses.items() if standing != "running"}
        tried = [row for row in rows if row["epoch"] and row["status"] in {"complete", "stopped", "at rung"}]
        found = [BestTrial(row["status"] == "complete", row["epoch"], row["score"], row["trial"]) for row in tried]
        self.best = None
        for each in found:  # the first of the board's equals has the best re-score, or the lowest loss
            self._update_best(each)

    @property
    def counts(self) -> Counter[TrialStatus]:
        """Trials by what became of them."""
        return Counter(self.statuses.values())

    @property
    def warm_slots(self) -> int:
        """Slots that can train."""
        return len(self.slot_time.warm)

    def on_gang_ready(self, slot: int, _info: "GangInfo") -> None:
        """Hear that a gang can train."""
        self.slot_time.on_gang_ready(slot)

    def __call__(self, event: str, number: int, report: EpochReport | None) -> None:
        """Hear of one event of one trial."""
        self.statuses[number] = STATUS_AFTER[event]
        self._warn_of_checkpoint(number, report)
        if event == "epoch" and report is not None:
            self._first_step = self._first_step or self._stopwatch.seconds - report.seconds
            self.epochs += 1
            self._scores[number] = (*self._scores.get(number, ()), report.score)
        if STATUS_AFTER[event] == "running":
            self.slot_time.on_running(number, report if event == "epoch" else None)
            slot = report.slot if report is not None and event == "epoch" else None
            self._running[number] = SlotProgress(number, self._scores.get(number, ()), report, slot)
            return
        self.slot_time.on_end(number)
        self.evaluated.add(number)
        self._running.pop(number, None)
        if report is not None and event in {"complete", "paused", "pruned"}:
            self._update_best(BestTrial(event == "complete", report.epoch, report.score, number))

    def _update_best(self, found: BestTrial) -> None:
        if self.best is None or found.is_better_than(self.best):
            self.best = found

    def _warn_of_checkpoint(self, number: int, report: EpochReport | None) -> None:
        if report is not None and report.trouble and not self._troubled:
            self._troubled = True
            logger.warning(f"trial {number} trains on without a new checkpoint: {report.trouble}")

    @property
    def slot_progress(self) -> list[SlotProgress | None]:
        """What each slot does; a trial that has told nothing from its slot yet is shown in any that is free."""
        running = list(self._running.values())  # at once: screens read it from threads of their own
        placed = {lane.slot: lane for lane in running if lane.slot is not None}
        others = (lane for lane in running if lane.slot is None)
        return [placed.get(slot) or next(others, None) for slot in range(self.slots)]

    @property
    def training_share(self) -> float:
        """Training's share of the slots' time since they are warm, from 0 to 1."""
        spent = self.slot_time.read()
        return spent.training / max(1e-9, spent.whole - spent.start)

    def describe_time(self) -> str:
        """Where the search's time went, as shares of all slots' time since the command began."""
        return (
            f"search: {len(self.evaluated)} trials, {self.epochs} epochs in {self._stopwatch.seconds:.1f} s, "
            f"the first step after {self._first_step:.1f} s; {self.slot_time.read().describe()} "
            f"(of the time when warm, training {100 * self.training_share:.1f} %)"
        )


def call_all(*listeners: Callable[..., None]) -> Callable[..., None]:
    """A listener that forwards events to several others."""

    def tell(*heard: Any) -> None:
        for listener in listeners:
            listener(*heard)

    return tell
