"""Events of trials that the engine sends to listeners, and the engine's context."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from searchspace.budget.allowance import Allowance, unlimited
from trainables.config import EpochReport, Status


class TrialEvent(StrEnum):
    """An event of a trial, sent to listeners."""

    START = "start"
    EPOCH = "epoch"
    PAUSED = "paused"
    RESUMED = "resumed"
    AUDITED = "audited"
    COMPLETE = "complete"
    PRUNED = "pruned"
    FAILED = "failed"


ENDS: dict[Status, TrialEvent] = {
    "complete": TrialEvent.COMPLETE, "running": TrialEvent.PRUNED, "failed": TrialEvent.FAILED,
}  # fmt: skip
"""The event that ends a trial, by the status of its last report."""
Listener = Callable[[TrialEvent, int, EpochReport | None], None]
"""Hears the event, the trial's number and its newest report, after the study has them."""


@dataclass(frozen=True)
class EngineContext:
    """The environment of an engine: slots, listener, stop condition, reachability."""

    slots: int
    """Trials at a time."""
    listener: Listener
    """Hears of every event."""
    should_stop: Callable[[], bool] = lambda: False
    """Whether every trial is to end with its epoch."""
    on_free: Callable[[int], None] = lambda _slots: None
    """Hears for how many free slots there is no trial; 0 where the next trial was found."""
    has_time: Callable[[float, float], bool] = lambda _next, _rest: True
    """Whether the search has time for a trial: seconds until its next report, and until its end."""
    allowance: Allowance = unlimited
    """Seconds that the search may still take."""
    is_reachable: Callable[[], bool] = lambda: True
    """Whether the trial broker, which carries trials to the gangs, answers."""
