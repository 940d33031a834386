"""A slot of the trial broker: the one way in which a trial is given to a gang, and its reports are received.

Ray Tune's trial actors hold one each while a search runs; finals, the winner, its test and probes are run by `run`.
The worker that trains hears here, in the middle of an epoch, that its owner has given the trial up.
"""

import time
from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

import ray

from trainables.config import Assignment, Decision, EpochReport

CHECK_INTERVAL_S = 0.2
"""Seconds between two looks at the broker's answer: a look takes some 0.1 ms, a step may take less."""
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


def send_decision(
    broker: Any, assignment: Assignment, report: EpochReport, decision: Decision, abandon: bool = False
) -> None:
    """Tell a gang, without waiting for it, how its trial goes on after `report`.

    Only at a rung does the gang wait for that; at other epochs it trains on by itself, and hears of an end alone: after
    the epoch that it has begun, whose checkpoint it leaves, or within it where the trial is abandoned.
    """
    if report.status == "running" and (decision is not Decision.CONTINUE or report.epoch in assignment.rungs):
        broker.decide.remote(assignment.trial, report.epoch, decision, abandon)


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
            send_decision(self.broker, assignment, report, decision, abandon=decision is Decision.STOP)
            if report.status != "running" or decision is not Decision.CONTINUE:
                return report

    def release(self, abandon: bool = False) -> None:
        """Give the slot back; the trial that it has is stopped after its epoch, or within it if it is abandoned."""
        ray.get(self.broker.release.remote(self.slot, abandon))


class AbandonedError(Exception):
    """The owner of a trial wants no more of it; not even the epoch that it is in."""


class AbandonmentCheck:
    """Raises `AbandonedError` at a step of an assignment that its owner has abandoned.

    For the only worker of a gang: several would have to agree at every step, so they end with their epoch.
    """

    def __init__(self, broker: Any, slot: int) -> None:
        """Ask `broker` about what it gives to `slot`."""
        self._broker, self._slot = broker, slot
        self._asked: Any = None
        self._due = 0.0

    def start(self, sequence: int) -> None:
        """Begin to listen for the end of the assignment `sequence`."""
        self._asked = self._broker.wait_until_abandoned.remote(self._slot, sequence)
        self._due = time.monotonic() + CHECK_INTERVAL_S

    def stop(self) -> None:
        """Listen no more: the assignment has ended."""
        self._asked = None

    def step(self) -> None:
        """Raise `AbandonedError` if the present assignment was abandoned."""
        if self._asked is None or time.monotonic() < self._due:
            return
        self._due = time.monotonic() + CHECK_INTERVAL_S
        if not ray.wait([self._asked], timeout=0)[0]:
            return
        abandoned, self._asked = ray.get(self._asked), None
        if abandoned:
            raise AbandonedError
