"""Health of the slots: counts errors, and carries out the decisions of `slot_errors`."""

from collections.abc import Sequence

from trainables.config import EpochReport
from trainables.workers.slot_errors import (
    Action,
    ErrorKind,
    Fault,
    SlotError,
    decide_retry,
    describe_retirement,
    describe_retry,
)
from trainables.workers.slot_state import Gang


class SlotHealth:
    """Errors of all gangs; a caller holds the broker's lock, and notifies waiting calls afterwards."""

    def __init__(self, gangs: Sequence[Gang]) -> None:
        """Watch over these gangs."""
        self._gangs = gangs
        self.messages: list[str] = []
        """One line for each error after which a trial was resumed, and for each slot that was retired."""
        self._last_end = ""

    @property
    def no_slot_reason(self) -> str:
        """Why no slot can train any more; empty while one can."""
        return self._last_end if all(gang.retired for gang in self._gangs) else ""

    def has_news(self, heard: int) -> bool:
        """Whether there are more than `heard` messages, or no slot is left."""
        return len(self.messages) > heard or bool(self.no_slot_reason)

    def retire(self, gang: Gang, reason: str) -> None:
        """Retire a slot; the first reason is kept."""
        if not gang.retired:
            gang.retired = self._last_end = reason

    def record_loss(self, gang: Gang) -> None:
        """Record that the workers of a gang are gone, which is an error of their trial unless it was expected."""
        if gang.lose():
            self._handle_error(gang, Fault(kind=ErrorKind.DEATH, message="its workers are gone", place=gang.location))

    def record_fault(self, gang: Gang, sequence: int, fault: Fault) -> bool:
        """Record an error of a worker in the assignment `sequence`; False if the gang's loss is recorded already."""
        if not (gang.taken_sequence == sequence == gang.state.sequence and gang.lose()):
            return False
        self._handle_error(gang, fault)
        return True

    def record_success(self, gang: Gang, report: EpochReport) -> None:
        """Forget errors: those of the trial after a new epoch, those of the slot after a rung or the trial's end."""
        state = gang.state
        if state.assignment is not None and state.assignment.attempt:
            state.assignment = state.assignment.model_copy(update={"attempt": 0})
        state.clear_errors()
        if report.status == "complete" or (state.assignment and report.epoch in state.assignment.rungs):
            gang.errors = ()

    def _handle_error(self, gang: Gang, fault: Fault) -> None:
        """Decide about an error of the trial that a gang trained, and carry the decision out."""
        state = gang.state
        trial = state.assignment.trial if state.assignment else ""
        error = SlotError(trial=trial, slot=gang.slot, gang=gang.generation, place=gang.location, fault=fault)
        state.errors, gang.errors = (*state.errors, error), (*gang.errors, error)
        decision = decide_retry(state.errors, gang.errors, sum(one.is_up for one in self._gangs if one is not gang))
        if decision.action == Action.FAIL:
            state.fail()
        else:
            self.messages.append(describe_retry(error))
            state.retry(decision)
        if decision.retire and not gang.retired:
            self.messages.append(describe_retirement(gang.errors))
            self.retire(gang, self.messages[-1])
        if decision.excuses_slots:
            for one in self._gangs:
                one.errors = tuple(error.as_excused() if error.trial == trial else error for error in one.errors)
