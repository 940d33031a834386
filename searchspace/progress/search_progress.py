"""The state of a running search as screens show it: frozen data, which may come from another process."""

from pydantic import ConfigDict

from searchspace.budget.presets import MAX_COUNT
from searchspace.progress.progress_tracker import ProgressTracker, SlotProgress
from trainables.common.escaping import printable
from trainables.config import Frozen
from trainables.metrics.metric_registry import METRICS

SHOWN_EPOCHS = 18
"""Newest epochs of a slot's trial whose scores are shown."""
SHOWN_SLOTS = 64
"""Slots that are shown; those of a large cluster are more than fit any screen."""


class _Shown(Frozen):
    """A record whose numbers may be infinite, or none, as those of a diverged trial."""

    model_config = ConfigDict(ser_json_inf_nan="constants")


class BestProgress(_Shown):
    """The best trial so far."""

    trial: int
    """Its number."""
    score: float
    """Its validation score."""
    epoch: int
    """Epochs that it has trained."""
    complete: bool
    """Whether it ran its full length."""
    description: str
    """Its hyperparameters, in words."""


class RunningTrial(_Shown):
    """The trial of one slot."""

    trial: int
    """Its number."""
    epoch: int
    """Epochs that it has trained."""
    scores: tuple[float, ...]
    """Validation scores of its newest epochs, at most `SHOWN_EPOCHS`."""
    images_per_second: float
    """Training images a second in its last epoch; 0 before its first."""
    total_seconds: float
    """Seconds of all its epochs."""


class SlotView(_Shown):
    """One slot."""

    is_warm: bool
    """Whether its gang can train."""
    running: RunningTrial | None
    """What it trains, if anything."""


class SearchProgress(_Shown):
    """All that a screen shows of a running search."""

    name: str
    """Name of the search."""
    trials: int
    """Trials that were asked for; 0 where only a budget ends the search."""
    max_epochs: int
    """Epochs of a full trial."""
    metric: str
    """The metric in words."""
    elapsed: float
    """Seconds since the command began."""
    remaining: float | None
    """Seconds that are left by the newest forecast, if there is one; 0 or less where it takes longer."""
    price: float
    """What an hour costs; 0 is not known."""
    training_share: float | None
    """Training's share of the slots' time since they are warm, from 0 to 1; None before the first epoch."""
    counts: dict[str, int]
    """Trials by status: running, at rung, complete, stopped, failed."""
    best: BestProgress | None
    """The best trial so far."""
    slots: tuple[SlotView, ...]
    """The slots in order, at most `SHOWN_SLOTS`."""

    @property
    def ended(self) -> int:
        """Trials that have ended, or came to a rung."""
        return sum(self.counts.get(status, 0) for status in ("complete", "stopped", "failed", "at rung"))


def read_progress(tracker: ProgressTracker, seconds: float, price: float = 0.0) -> SearchProgress:
    """The present state of a tracked search, `seconds` after its command began."""
    spec, best = tracker.spec, tracker.best
    found = best and BestProgress(
        trial=best.trial, score=best.score, epoch=best.epoch, complete=best.complete,
        description=printable(tracker.describe_trial(best.trial)),
    )  # fmt: skip
    return SearchProgress(
        name=printable(spec.name),
        trials=0 if spec.trials == MAX_COUNT else spec.trials,
        max_epochs=spec.max_epochs,
        metric=METRICS[spec.metric].label,
        elapsed=seconds,
        remaining=tracker.remaining_seconds(),
        price=price,
        training_share=tracker.training_share if tracker.epochs else None,
        counts=dict(tracker.counts),
        best=found,
        slots=tuple(
            SlotView(is_warm=slot < tracker.warm_slots, running=lane and _running(lane))
            for slot, lane in enumerate(tracker.slot_progress[:SHOWN_SLOTS])
        ),
    )


def _running(lane: SlotProgress) -> RunningTrial:
    newest = lane.newest if lane.scores else None
    return RunningTrial(
        trial=lane.trial,
        epoch=newest.epoch if newest else 0,
        scores=lane.scores[-SHOWN_EPOCHS:],
        images_per_second=newest.images_per_second if newest else 0.0,
        total_seconds=newest.total_seconds if newest else 0.0,
    )
