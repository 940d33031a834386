"""A search in plain lines: one line when a trial ends, is paused, stopped or resumed."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from searchspace.progress.progress_tracker import ProgressTracker
from trainables.config import EpochReport
from trainables.metrics.metric_registry import METRICS

if TYPE_CHECKING:
    from trainables.workers.slot_state import GangInfo


class PlainLines:
    """Listener of the searcher and the gangs that updates a tracker and prints what changed."""

    def __init__(self, tracker: ProgressTracker, show: Callable[[int, str], None]) -> None:
        """Update `tracker`, and print by `show`, which takes a level of `logging` and a message."""
        self._tracker, self._show = tracker, show
        self._words = METRICS[tracker.spec.metric].label

    def on_gang_ready(self, slot: int, info: "GangInfo") -> None:
        """Print that a gang can train."""
        self._tracker.on_gang_ready(slot, info)
        what = f"{info.device}, {info.precision}, {info.threads} threads a worker"
        self._show(logging.INFO, f"gang {self._tracker.warm_slots}/{self._tracker.slots} warm: {what}")

    def __call__(self, event: str, number: int, report: EpochReport | None) -> None:
        """Update the tracker with one event of a trial, and print it unless it is an epoch."""
        known = number in self._tracker.evaluated
        best = self._tracker.best
        self._tracker(event, number, report)
        if report is None:
            return
        if event == "epoch" or (event == "pruned" and known):
            return  # a paused trial was reported when it paused
        if event in {"resumed", "audited"}:
            word = "resumed" if event == "resumed" else "stopped, but trained on for the audit"
            text = f"{word} from epoch {report.epoch}"
        else:
            better = event == "complete" and self._tracker.best != best
            text = self._outcome(event, report) + ("  best so far" if better else "")
        self._show(
            logging.INFO, f"{self._tracker.spec.format_count(len(self._tracker.evaluated))}  trial {number}  {text}"
        )

    def _outcome(self, event: str, report: EpochReport) -> str:
        if event == "failed":
            return f"failed after epoch {report.epoch}: {report.reason}"
        word = {"complete": "complete", "paused": "paused"}.get(event, "stopped")
        note = f", micro-batch {report.micro_batch} after out of memory" if report.micro_batch else ""
        score = f"validation {self._words} {report.score:.4f}"
        return f"{word} at epoch {report.epoch}, {score}, {report.total_seconds:.1f} s{note}"
