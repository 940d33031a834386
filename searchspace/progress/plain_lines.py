"""A search in plain lines: one as a trial ends, is held back or goes on, and none twice."""

import logging
from typing import TYPE_CHECKING

from searchspace.progress.progress_tracker import Account
from trainables.config import EpochReport
from trainables.metrics.metric_registry import METRICS

if TYPE_CHECKING:
    from searchspace.progress.console_reporter import Clock
    from trainables.workers.slot_state import GangInfo


class Lines:
    """Keeps an account and says what changes in it; a listener of the searcher and of the gangs."""

    def __init__(self, account: Account, clock: "Clock") -> None:
        """Keep `account`, and say it by `clock`."""
        self._account, self._clock = account, clock
        self._words = METRICS[account.spec.metric].label

    def warm(self, slot: int, info: "GangInfo") -> None:
        """Say that a gang can train."""
        self._account.warm(slot, info)
        what = f"{info.device}, {info.precision}, {info.threads} threads a worker"
        self._clock.show(logging.INFO, f"gang {self._account.warm_slots}/{self._account.slots} warm: {what}")

    def __call__(self, event: str, number: int, report: EpochReport | None) -> None:
        """Say one event of one trial, if it matters."""
        known = number in self._account.known
        best = self._account.best
        self._account(event, number, report)
        if report is None:
            return
        if event == "epoch" or (event == "pruned" and known):
            return  # a paused trial was reported when it paused
        if event in {"resumed", "audited"}:
            word = "resumed" if event == "resumed" else "was stopped, and runs on for the audit,"
            text = f"{word} from epoch {report.epoch}"
        else:
            better = event == "complete" and self._account.best != best
            text = self._outcome(event, report) + ("  best so far" if better else "")
        self._clock.show(
            logging.INFO, f"{len(self._account.known)}/{self._account.spec.trials}  trial {number}  {text}"
        )

    def _outcome(self, event: str, report: EpochReport) -> str:
        if event == "failed":
            return f"failed after epoch {report.epoch}: {report.reason}"
        word = {"complete": "complete", "paused": "paused"}.get(event, "stopped")
        note = f", micro-batch {report.micro_batch} after out of memory" if report.micro_batch else ""
        score = f"validation {self._words} {report.score:.4f}"
        return f"{word} at epoch {report.epoch}, {score}, {report.total_seconds:.1f} s{note}"
