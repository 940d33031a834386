"""Decisions about errors that may be a slot's or a trial's: retry or fail the trial, keep or retire the slot.

One error does not show its cause. A trial that fails on one gang and trains on the next was not the cause, and a gang
on which several trials fail is. So a trial is retried elsewhere, from its newest checkpoint, until it has failed on
several gangs; and a slot is retired once different trials have failed on it with no success between them.
"""

from collections.abc import Sequence
from enum import StrEnum

from trainables.config import Frozen

RETIRE_AFTER = 3
"""Errors in a slot, of two trials at least and with no success between them, after which it trains nothing more."""
RETIRE_AFTER_TRIALS = 6
"""Trials in a row that failed in a slot, after which it is retired although each of them failed elsewhere, too.

Where most slots are bad, trials fail in several for no fault of theirs.
"""
AVOID_AFTER = 2
"""Errors of one trial in one slot, after which it goes to another slot if there is one."""


class ErrorKind(StrEnum):
    """What an error says about where it comes from."""

    TRIAL = "error of the trial"
    MEMORY = "out of memory"
    ASSERT = "device assertion"
    DEVICE = "device error"
    PEER = "collective error"
    STORAGE = "storage error"
    HANG = "hung"
    DEATH = "worker died"


TRIAL_KINDS = frozenset({ErrorKind.TRIAL, ErrorKind.MEMORY})
"""Kinds that fail the trial at once: the same would happen anywhere."""
MOST_GANGS_BY_KIND = {ErrorKind.ASSERT: 2}
"""Gangs on which an error of a kind fails its trial, where that is not `MOST_PLACES`.

A device assertion is most often a label or index out of range, which is the trial's own; the slot is never blamed.
"""
MOST_GANGS = 3
"""Gangs on which a trial may fail, without a new epoch between, before the trial is at fault."""


class Fault(Frozen):
    """An error as the worker that met it describes it."""

    kind: ErrorKind
    """What it says about its origin."""
    message: str
    """The error's own line."""
    place: str
    """Node and device."""


class SlotError(Frozen):
    """One error of one trial on one gang."""

    trial: str
    """The assignment's trial."""
    slot: int
    """Slot of the gang."""
    gang: int
    """Which of the slot's worker groups it was."""
    place: str
    """Node and device of the gang: a slot whose gang has moved starts with a clean record."""
    fault: Fault
    """What happened."""
    excused: bool = False
    """Whether the trial was found to be at fault afterwards, as it had failed in other slots, too."""

    def as_excused(self) -> "SlotError":
        """The same error, for which the trial was at fault."""
        return self.model_copy(update={"excused": True})


class Action(StrEnum):
    """What becomes of the trial."""

    RETRY = "retry"
    FAIL = "fail"


class RetryDecision(Frozen):
    """What is done about an error."""

    action: Action
    """Whether the trial is trained again from its checkpoint, or has failed."""
    avoid: frozenset[int] = frozenset()
    """Slots that the trial does not go back to while another one can train."""
    retire: bool = False
    """Whether the slot trains nothing more."""
    excuses_slots: bool = False
    """Whether the trial was at fault wherever it failed, so that its errors are excused in all slots."""


def decide_retry(trial: Sequence[SlotError], slot: Sequence[SlotError], others: int) -> RetryDecision:
    """What to do about the newest error, which ends both histories.

    `trial` holds the trial's errors since its last new epoch, `slot` the slot's since a trial last came through there,
    and `others` is the number of other slots that can train now. Where there are none, a new gang is another place.
    """
    kind = trial[-1].fault.kind
    if kind in TRIAL_KINDS:
        return RetryDecision(action=Action.FAIL)
    places, slots = {(error.slot, error.gang) for error in trial}, {error.slot for error in trial}
    most = MOST_GANGS_BY_KIND.get(kind, MOST_GANGS)
    fails = len(places) >= most and (len(slots) > 1 or not others)
    guilty = fails and len(slots) > 1
    held = [error.as_excused() if guilty and error.trial == trial[-1].trial else error for error in slot]
    action = Action.FAIL if fails else Action.RETRY
    avoid = frozenset() if fails else _avoided(trial, slots, min(AVOID_AFTER, most - 1))
    return RetryDecision(action=action, avoid=avoid, retire=_is_bad(held), excuses_slots=guilty)


def _avoided(trial: Sequence[SlotError], slots: set[int], most: int) -> frozenset[int]:
    return frozenset(slot for slot in slots if sum(error.slot == slot for error in trial) >= most)


def _is_bad(slot: Sequence[SlotError]) -> bool:
    """Whether these errors of a slot retire it: enough of them, at the place where it is now, and not of one trial."""
    blamed = [error for error in slot if error.fault.kind not in TRIAL_KINDS | {ErrorKind.ASSERT}]
    here = [error for error in blamed if error.place == blamed[-1].place]
    held = [error for error in here if not error.excused]
    enough = len(held) >= RETIRE_AFTER and len({error.trial for error in held}) > 1
    return enough or len({error.trial for error in here}) >= RETIRE_AFTER_TRIALS


def describe_failure(trial: Sequence[SlotError]) -> str:
    """Reason of a trial whose errors followed it."""
    fault, count = trial[-1].fault, len(trial)
    if fault.kind == ErrorKind.DEATH:
        return f"its workers died {count} times"
    slots = sorted({error.slot for error in trial})
    listed = ("slot " if len(slots) == 1 else "slots ") + ", ".join(map(str, slots))
    return f"{fault.message} ({fault.kind}, on {count} gangs, {listed})"


def describe_retry(error: SlotError) -> str:
    """A line on an error after which the trial repeats the epochs since its checkpoint."""
    return f"{describe_error(error)}; {error.trial} resumes from its newest checkpoint"


def describe_error(error: SlotError) -> str:
    """A line on an error and where it happened."""
    return f"slot {error.slot} ({error.fault.place}): {error.fault.kind}: {error.fault.message}"


def describe_retirement(errors: Sequence[SlotError]) -> str:
    """Why a slot trains nothing more."""
    last = errors[-1]
    return (
        f"slot {last.slot} ({last.fault.place}) is retired after {len(errors)} errors, "
        f"the last: {last.fault.kind}: {last.fault.message}"
    )
