"""Reports the progress of a command as typed events, to the program that started it."""

import os
import time
from typing import TYPE_CHECKING, Self

from searchspace.api.process.search_events import (
    EpochEnded,
    GangReady,
    LogMessage,
    PhaseEnded,
    PhaseStarted,
    ProgressUpdated,
    SearchEvent,
    SearchStarted,
    TrialEnded,
    TrialPaused,
    TrialResumed,
    TrialStarted,
    WinnerFound,
    WorkProgress,
)
from searchspace.budget.allowance import Phase
from searchspace.budget.phase_times import PHASES
from searchspace.cli.command_start import HOST_RAY_VARIABLE
from searchspace.progress.console_reporter import ConsoleReporter
from searchspace.progress.event_writer import EventWriter, host_events
from searchspace.progress.progress_tracker import ProgressTracker, TrialListener
from searchspace.progress.search_progress import read_progress
from searchspace.storage.search_folder import SEARCH_LOG
from trainables.common.escaping import printable
from trainables.config import EpochReport

if TYPE_CHECKING:
    from collections.abc import Callable

    from searchspace.finals.finalist import Finalist
    from searchspace.spec import SearchSpec
    from trainables.metrics.class_metrics import TestMetrics
    from trainables.workers.slot_state import GangInfo

WORK_INTERVAL_S = 0.25
"""Least seconds between two events on how far the same work is."""


class EventReporter(ConsoleReporter):
    """A reporter that prints nothing and writes events."""

    def __init__(self, writer: EventWriter, price: float = 0.0) -> None:
        """Write by `writer`; an hour costs `price`, where that is known."""
        super().__init__()
        self._writer, self._price = writer, price
        self._told, self._told_at = "", 0.0

    @property
    def restart_options(self) -> list[str]:
        """Command-line options that make another like this."""
        host_ray = os.environ.get(HOST_RAY_VARIABLE, "")
        joined = ["--address", host_ray] if host_ray else []  # which no record has
        return [*joined, *(["--price-per-hour", str(self._price)] if self._price else [])]

    def __enter__(self) -> Self:
        """Write what the project logs from here on; the first phase begins."""
        super().__enter__()
        self.publish(PhaseStarted(name="preparation"))
        return self

    def search_started(self, spec: "SearchSpec") -> None:
        """Write where the search is."""
        self.publish(started(spec))

    def phase_ended(self, phase: Phase) -> None:
        """Write that a phase is over, and which one begins."""
        self.publish(*phase_changed(phase))

    def winner_found(self, spec: "SearchSpec", winner: "Finalist", metrics: "TestMetrics") -> None:
        """Write the winner's scores."""
        self.publish(describe_winner(spec, winner, metrics))

    def publish(self, *events: SearchEvent) -> None:
        """Write events, with the seconds since the start."""
        for event in events:
            self._writer.send(event.model_copy(update={"seconds": self.seconds}))

    def show(self, level: int, message: str) -> None:
        """Write a message of a level of `logging`."""
        self.publish(LogMessage(level=level, message=printable(message)))
        self._warn_of_log()

    def progress(self, what: str, done: int, total: int) -> None:
        """Write how far long work is: its start and end, and from time to time between them."""
        now = time.monotonic()
        if what == self._told and now < self._told_at + WORK_INTERVAL_S and not (total and done >= total):
            return
        self._told, self._told_at = what, now
        self.publish(WorkProgress(what=what, done=done, total=total))

    def show_progress_of(self, tracker: ProgressTracker) -> TrialListener:
        """Write the search's progress while it runs; returns the listener that updates `tracker` and writes events."""
        self._writer.read_progress = lambda: ProgressUpdated(
            seconds=self.seconds, progress=read_progress(tracker, self.seconds, self._price)
        )
        return TrialEvents(tracker, self.publish)

    def hide_search(self) -> None:
        """The search is over; its progress is written for the last time."""
        last = self._writer.read_progress()
        self._writer.read_progress = lambda: None
        if last is not None:
            self._writer.send(last)

    def close(self) -> None:
        """Write what waits."""
        self.hide_search()
        super().close()
        self._writer.flush()


class TrialEvents:
    """Listener of the searcher and the gangs that updates a tracker and writes what happens."""

    def __init__(self, tracker: ProgressTracker, publish: "Callable[[SearchEvent], None]") -> None:
        """Update `tracker`, and write by `publish`."""
        self._tracker, self._publish = tracker, publish

    def on_gang_ready(self, slot: int, info: "GangInfo") -> None:
        """Write that a gang can train."""
        self._tracker.on_gang_ready(slot, info)
        self._publish(GangReady(slot=slot, device=info.device, precision=info.precision, threads=info.threads))

    def __call__(self, event: str, number: int, report: EpochReport | None) -> None:
        """Update the tracker with one event of a trial, and write it."""
        best = self._tracker.best
        self._tracker(event, number, report)
        if event == "start":
            self._publish(TrialStarted(number=number, config=dict(self._tracker.read_hyperparameters(number))))
        elif report is not None:
            self._publish(self._of_report(event, number, report, is_best=self._tracker.best != best))

    def _of_report(self, event: str, number: int, report: EpochReport, is_best: bool) -> SearchEvent:
        if event == "epoch":
            return EpochEnded(
                number=number, max_epochs=self._tracker.spec.max_epochs, epoch_seconds=report.seconds,
                **report.model_dump(include={
                    "epoch", "score", "accuracy", "val_loss", "train_loss", "images_per_second", "slot",
                }),
            )  # fmt: skip
        if event == "paused":
            return TrialPaused(number=number, epoch=report.epoch, score=report.score)
        if event in {"resumed", "audited"}:
            return TrialResumed(number=number, epoch=report.epoch, is_audit=event == "audited")
        has_failed = event == "failed"
        return TrialEnded(
            number=number, status="failed" if has_failed else "complete" if event == "complete" else "stopped",
            epoch=report.epoch, score=None if has_failed or not report.epoch else report.score, reason=report.reason,
            is_best=is_best,
        )  # fmt: skip


def started(spec: "SearchSpec") -> SearchStarted:
    """The event of a search whose folder is there."""
    return SearchStarted(name=spec.name, folder=str(spec.folder), log=str(spec.folder / SEARCH_LOG))


def phase_changed(ended: Phase) -> tuple[PhaseEnded | PhaseStarted, ...]:
    """The events of a phase that is over: its end, and the start of the next, if there is one."""
    following = PHASES[PHASES.index(ended) + 1 :]
    return PhaseEnded(name=ended.value), *(PhaseStarted(name=phase.value) for phase in following[:1])


def describe_winner(spec: "SearchSpec", winner: "Finalist", metrics: "TestMetrics") -> WinnerFound:
    """The event of a winner that was tested."""
    ends = {f"{name}_{end}": getattr(each, end) for name, each in metrics.scores.items() for end in ("low", "high")}
    return WinnerFound(
        trial=winner.members[0], members=winner.members, metric=spec.metric, score=winner.score,
        search_score=winner.search_score, test={name: each.score for name, each in metrics.scores.items()} | ends,
    )  # fmt: skip


def open_event_reporter(price: float) -> EventReporter:
    """The reporter for the program that started this command, which gave it a pipe."""
    writer = host_events()
    assert writer is not None  # callers have looked
    return EventReporter(writer, price)
