"""A slot of the trial broker: the one way in which a trial is given to a gang, and its reports are received.

Ray Tune's trial actors hold one each while a search runs; finals, the winner, its test and probes are run by `run`.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

import ray

from trainables.config import Assignment, Decision, EpochReport

IDLE_CHECK_S = 5.0
"""Seconds without a report after which the caller of `next_report` is told."""


class AssignmentSource(Protocol):
    """What chooses, each time that a slot is free, which assignments are trained next."""

    def next_assignments(self, running: Collection[str], free: int) -> Sequence[Assignment]:
        """At most `free` assignments to begin now, beside those `running`, given by their trial.

        None while nothing runs ends the whole.
        """

    def is_needed(self, trial: str) -> bool:
        """Whether a trial that is running has to end; if not, it is stopped at its next report. Called from threads."""

    def record(self, report: EpochReport) -> None:
        """Take the last report of a trial that ended."""


class ListedAssignments:
    """Assignments that are all known, in their order."""

    def __init__(self, assignments: Sequence[Assignment]) -> None:
        """Hand out `assignments`, and keep their last reports."""
        self._names = [assignment.trial for assignment in assignments]
        self._waiting = list(assignments)
        self._reports: dict[str, EpochReport] = {}

    def next_assignments(self, running: Collection[str], free: int) -> Sequence[Assignment]:
        """The first that have not begun."""
        del running
        taken, self._waiting = self._waiting[:free], self._waiting[free:]
        return taken

    def is_needed(self, trial: str) -> bool:
        """Each is."""
        return trial in self._names

    def record(self, report: EpochReport) -> None:
        """Keep it."""
        self._reports[report.trial] = report

    @property
    def reports(self) -> list[EpochReport]:
        """The last report of each, in their order."""
        return [self._reports[name] for name in self._names]


def send_decision(broker: Any, assignment: Assignment, report: EpochReport, decision: Decision) -> None:
    """Tell a gang, without waiting for it, how its trial goes on after `report`.

    Only at a rung does the gang wait for that; at other epochs it trains on by itself, and hears of an end alone.
    """
    if report.status == "running" and (decision is not Decision.CONTINUE or report.epoch in assignment.rungs):
        broker.decide.remote(assignment.trial, report.epoch, decision)


class SlotClient:
    """One claimed slot."""

    def __init__(self, broker: Any, preferred: int = 0, owner: Any = None) -> None:
        """Claim a slot, `preferred` if it is free; waits for one. It is free again when `owner`, an actor, has died."""
        self.broker = broker
        self.slot: int = ray.get(broker.claim.remote(preferred, owner))

    def __enter__(self) -> "SlotClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def assign(self, assignment: Assignment) -> None:
        """Give the slot a trial; the one it had is stopped."""
        ray.get(self.broker.assign.remote(self.slot, assignment))

    def next_report(self, on_idle: Callable[[], None] | None = None) -> EpochReport:
        """Wait for the trial's next report; `on_idle` is called every `IDLE_CHECK_S`, and may raise."""
        asked = self.broker.next_report.remote(self.slot)
        while on_idle is not None and not ray.wait([asked], timeout=IDLE_CHECK_S)[0]:
            on_idle()
        report: EpochReport = ray.get(asked)
        return report

    def run(
        self,
        assignment: Assignment,
        on_report: Callable[[EpochReport], Decision],
        on_idle: Callable[[], None] | None = None,
    ) -> EpochReport:
        """Train a trial until it ends, or `on_report` pauses or stops it; returns its last report."""
        self.assign(assignment)
        while True:
            report = self.next_report(on_idle)
            decision = on_report(report)
            send_decision(self.broker, assignment, report, decision)
            if report.status != "running" or decision is not Decision.CONTINUE:
                return report

    def release(self) -> None:
        """Give the slot back; the trial that it has is stopped."""
        ray.get(self.broker.release.remote(self.slot))
