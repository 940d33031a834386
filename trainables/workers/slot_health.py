"""Health of a search's slots, as the mailbox keeps it: errors are counted, and decisions about them carried out."""

from collections.abc import Sequence

from trainables.config import EpochReport
from trainables.workers.slot_errors import (
    Action,
    ErrorKind,
    Fault,
    SlotError,
    decide,
    describe_retirement,
    describe_retry,
)
from trainables.workers.slot_state import Gang


class SlotHealth:
    """Of all gangs of a search; whoever calls it holds the mailbox's lock, and wakes others afterwards."""

    def __init__(self, gangs: Sequence[Gang]) -> None:
        """Nothing has happened yet."""
        self._gangs = gangs
        self.news: list[str] = []
        """A line on each error that cost a trial time, and on each slot that was retired."""
        self._last_end = ""

    @property
    def nobody_left(self) -> str:
        """Why no slot can train any more; empty while one can."""
        return self._last_end if all(gang.broken for gang in self._gangs) else ""

    def end(self, gang: Gang, reason: str) -> None:
        """A slot trains nothing more; the first reason stands."""
        if not gang.broken:
            gang.broken = self._last_end = reason

    def lose(self, gang: Gang) -> None:
        """The workers of a gang are no more; what they trained has one more error, unless that was known to come."""
        if gang.lose():
            self._judge(gang, Fault(kind=ErrorKind.DEATH, message="its workers are gone", place=gang.place))

    def fault(self, gang: Gang, sequence: int, fault: Fault) -> bool:
        """A worker met an error with what it took up as `sequence`, and ends with it; False if that is known."""
        if not (gang.taken == sequence == gang.desk.sequence and gang.lose()):
            return False
        self._judge(gang, fault)
        return True

    def count_success(self, gang: Gang, report: EpochReport) -> None:
        """A new epoch clears the trial; a trial that comes through, to a rung or its end, clears the slot."""
        desk = gang.desk
        if desk.assignment is not None and desk.assignment.attempt:
            desk.assignment = desk.assignment.model_copy(update={"attempt": 0})
        desk.forgive()
        if report.status == "complete" or (desk.assignment and report.epoch in desk.assignment.rungs):
            gang.errors = ()

    def _judge(self, gang: Gang, fault: Fault) -> None:
        """Decide about an error of what a gang trained, and carry that out."""
        desk = gang.desk
        trial = desk.assignment.trial if desk.assignment else ""
        error = SlotError(trial=trial, slot=gang.slot, gang=gang.generation, place=gang.place, fault=fault)
        desk.errors, gang.errors = (*desk.errors, error), (*gang.errors, error)
        decision = decide(desk.errors, gang.errors, sum(one.whole for one in self._gangs if one is not gang))
        if decision.action == Action.FAIL:
            desk.fail()
        else:
            self.news.append(describe_retry(error))
            desk.try_again(decision)
        if decision.retire and not gang.broken:
            self.news.append(describe_retirement(gang.errors))
            self.end(gang, self.news[-1])
        if decision.excuses_slots:
            for one in self._gangs:
                one.errors = tuple(error.excuse() if error.trial == trial else error for error in one.errors)
