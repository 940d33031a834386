"""A running search's own account: what became of its trials so far, what its slots do, and where the time goes."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from searchspace.spec import SearchSpec
from trainables.config import EpochReport

if TYPE_CHECKING:
    from searchspace.progress.console_reporter import Clock
    from trainables.workers.slot_state import GangInfo

logger = logging.getLogger(__name__)

Standing = Literal["running", "at rung", "complete", "stopped", "failed"]
BECOMES: dict[str, Standing] = {
    "start": "running", "epoch": "running", "resumed": "running", "audited": "running", "paused": "at rung",
    "complete": "complete", "pruned": "stopped", "failed": "failed",
}  # fmt: skip
"""By the searcher's events; the leaderboard uses the same words."""


@dataclass(frozen=True)
class Best:
    """A trial that did well."""

    complete: bool
    """Whether it ran its full length."""
    epoch: int
    """Epochs it has."""
    score: float
    """Validation score then."""
    trial: int
    """Its number."""

    def is_above(self, other: "Best") -> bool:
        """Whether it is better: at full length before any other, longer before shorter, then by score.

        Of equal ones neither is, so that the earlier one stays.
        """
        return (self.complete, self.epoch, self.score) > (other.complete, other.epoch, other.score)


@dataclass(frozen=True)
class Lane:
    """What one slot does."""

    trial: int
    """Number of the trial."""
    scores: tuple[float, ...] = ()
    """Of its epochs so far."""
    newest: EpochReport | None = None
    """Its last epoch, if it has one."""
    slot: int | None = None
    """The slot it is on; None until an epoch of it comes from there."""


class Follower(Protocol):
    """Hears what the searcher and the gangs tell."""

    def warm(self, slot: int, info: "GangInfo") -> None:
        """Hear that a gang can train."""

    def __call__(self, event: str, number: int, report: EpochReport | None) -> None:
        """Hear of one event of one trial."""


class Account:
    """Counts; a listener of the searcher."""

    def __init__(self, spec: SearchSpec, slots: int, clock: "Clock") -> None:
        """Begin with nothing, on `slots` slots, by `clock`."""
        self.spec, self.slots, self.clock = spec, slots, clock
        self.standings: dict[int, Standing] = {}
        self._running: dict[int, Lane] = {}
        self.best: Best | None = None
        self.epochs = 0
        self.training_seconds = 0.0
        self.left: Callable[[], float | None] = lambda: None
        """Seconds that are left by the newest forecast, if there is one."""
        self.describe: Callable[[int], str] = lambda _trial: ""
        """A trial's configuration, in words."""
        self.known: set[int] = set()
        """Trials of which something was heard: they ended, or came to a rung."""
        self._troubled = False
        self._warm: dict[int, float] = {}
        self._scores: dict[int, tuple[float, ...]] = {}
        self._first_step = 0.0

    def look_back(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Hear of the trials that a search had, as its board tells them, before it was resumed."""
        self.standings = {row["trial"]: row["status"] for row in rows if row["status"] in BECOMES.values()}
        self.known = {number for number, standing in self.standings.items() if standing != "running"}
        tried = [row for row in rows if row["epoch"] and row["status"] in {"complete", "stopped", "at rung"}]
        found = [Best(row["status"] == "complete", row["epoch"], row["score"], row["trial"]) for row in tried]
        self.best = None
        for each in found:  # the first of the board's equals has the best re-score, or the lowest loss
            self._hear_of(each)

    @property
    def counts(self) -> Counter[Standing]:
        """Trials by what became of them."""
        return Counter(self.standings.values())

    @property
    def warm_slots(self) -> int:
        """Slots that can train."""
        return len(self._warm)

    def warm(self, slot: int, _info: "GangInfo") -> None:
        """Hear that a gang can train."""
        self._warm[slot] = self.clock.seconds

    def __call__(self, event: str, number: int, report: EpochReport | None) -> None:
        """Hear of one event of one trial."""
        self.standings[number] = BECOMES[event]
        self._say_trouble(number, report)
        if event == "epoch" and report is not None:
            self._first_step = self._first_step or self.clock.seconds - report.seconds
            self.epochs += 1
            self.training_seconds += report.seconds
            self._scores[number] = (*self._scores.get(number, ()), report.score)
        if BECOMES[event] == "running":
            slot = report.slot if report is not None and event == "epoch" else None
            self._running[number] = Lane(number, self._scores.get(number, ()), report, slot)
            return
        self.known.add(number)
        self._running.pop(number, None)
        if report is not None and event in {"complete", "paused", "pruned"}:
            self._hear_of(Best(event == "complete", report.epoch, report.score, number))

    def _hear_of(self, found: Best) -> None:
        if self.best is None or found.is_above(self.best):
            self.best = found

    def _say_trouble(self, number: int, report: EpochReport | None) -> None:
        if report is not None and report.trouble and not self._troubled:
            self._troubled = True
            logger.warning(f"trial {number} trains on without a new checkpoint: {report.trouble}")

    @property
    def lanes(self) -> list[Lane | None]:
        """What each slot does; a trial that has told nothing from its slot yet is shown in any that is free."""
        placed = {lane.slot: lane for lane in self._running.values() if lane.slot is not None}
        others = (lane for lane in list(self._running.values()) if lane.slot is None)
        return [placed.get(slot) or next(others, None) for slot in range(self.slots)]

    @property
    def training_share(self) -> float:
        """Training's share of the slots' time since they are warm, from 0 to 1."""
        whole = self.clock.seconds * self.slots - self._starting
        return self.training_seconds / max(1e-9, whole)

    @property
    def _starting(self) -> float:
        """Seconds, over all slots, before they were warm."""
        cold = (self.slots - len(self._warm)) * self.clock.seconds
        return sum(self._warm.values(), cold)

    def in_words(self) -> str:
        """Where the search's time went, as shares of all slots' time since the command began."""
        whole = self.clock.seconds * self.slots
        start = self._starting
        shares = {"training": self.training_seconds, "decisions": whole - self.training_seconds - start, "start": start}
        return (
            f"search: {len(self.known)} trials, {self.epochs} epochs in {self.clock.seconds:.1f} s, "
            f"the first step after {self._first_step:.1f} s; "
            + " · ".join(f"{name} {100 * x / whole:.0f} %" for name, x in shares.items())
            + f" (of the time when warm, training {100 * self.training_share:.1f} %)"
        )


def to_all(*listeners: Callable[..., None]) -> Callable[..., None]:
    """A listener that tells several."""

    def tell(*heard: Any) -> None:
        for listener in listeners:
            listener(*heard)

    return tell
