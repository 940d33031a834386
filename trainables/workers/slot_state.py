"""State of the slots, to which owners assign trials, and of the gangs that serve them; no Ray, no waiting."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from typing import Any

from trainables.config import Assignment, EpochReport, Frozen, failure
from trainables.workers.slot_errors import RetryDecision, SlotError, describe_failure


class GangInfo(Frozen):
    """What rank 0 of a gang reports when it registers."""

    device: str
    """`cpu`, or the GPU's name."""
    precision: str
    """`bf16` or `fp32`."""
    threads: int
    """Threads of each worker."""


@dataclass(eq=False)
class Gang:
    """State of one gang, as its workers and its trainer report it."""

    state: "SlotState"
    """The slot that it serves; another than its own while it trains a trial whose slot has no gang."""
    slot: int = 0
    """Number of its own slot."""
    location: str = ""
    """Node and device of its newest rank 0."""
    errors: tuple[SlotError, ...] = ()
    """Errors on it since a trial last reached a rung or its end there."""
    info: GangInfo | None = None
    """What its newest rank 0 reported; None if it has never registered."""
    is_up: bool = False
    """Whether it has workers that can train."""
    is_needed: bool = True
    """Whether it is to be started or kept; an idle gang on nodes that come and go is not."""
    changed_at: float = field(default_factory=monotonic)
    """When it was last needed, came up, or lost its workers; seconds of the monotonic clock."""
    generation: int = 0
    """Number of its worker groups so far."""
    taken_sequence: int = 0
    """Sequence that rank 0 of the present worker group took last; -1 once it has been stopped."""
    taken_assignment: Assignment | None = None
    """The assignment of that sequence."""
    retired: str = ""
    """Why its slot is retired; empty while it is not."""
    is_end_expected: bool = False
    """Whether the end of the present worker group is expected, and no error of what it trains."""

    def has_work(self, after: int, gangs: Iterable["Gang"]) -> bool:
        """Whether its slot has a trial newer than sequence `after` that does not wait for another of `gangs`."""
        up = {gang.slot for gang in gangs if gang.is_up}
        return self.state.assignment is not None and self.state.sequence > after and not self.state.avoids(self, up)

    def has_taken(self, generation: int, after: int) -> bool:
        """Whether rank 0 of a worker group has taken an assignment newer than sequence `after`, or has been stopped."""
        taken = self.taken_sequence
        return bool(self.retired) or (self.generation == generation and (taken > after or taken < 0))

    def lose(self) -> bool:
        """Record that its workers are gone; returns whether that is an error of the trial that they trained."""
        died = (
            self.taken_sequence == self.state.sequence
            and self.state.assignment is not None
            and not self.is_end_expected
        )
        self.is_up, self.is_end_expected, self.changed_at = False, False, monotonic()
        self.taken_sequence = min(self.taken_sequence, 0)
        return died


@dataclass(eq=False)
class SlotState:
    """One slot: what its owner assigned, and the reports that wait for the owner."""

    gang: Gang = field(init=False)
    """The gang that serves it."""
    is_free: bool = True
    """Whether it has no owner."""
    owner: Any = None
    """The trial actor that has claimed it, if one has."""
    claims: int = 0
    """How often it was claimed."""
    errors: tuple[SlotError, ...] = ()
    """Errors of the present assignment since its newest epoch."""
    avoided_slots: frozenset[int] = frozenset()
    """Slots on which the present assignment is not trained while another one can train."""
    assignment: Assignment | None = None
    """What is to be trained."""
    sequence: int = 0
    """Number of the present assignment to the present gang; reports with an older one are ignored."""
    abandoned_sequence: int = 0
    """Sequence of the newest assignment whose owner wants no more of it, not even the epoch that it is in."""
    granted_epochs: int = 0
    """Epoch of the present assignment after whose report it was decided that it trains on."""
    delivered_epoch: int = 0
    """Epoch of the report that the owner read last."""
    reported_epoch: int = -1
    """Epoch of the newest report; a resumed trial repeats older ones, which are ignored."""
    reports: deque[EpochReport] = field(default_factory=deque)
    """Reports that the owner has not read yet."""
    idle_since: float = field(default_factory=monotonic)
    """When it last had an assignment; seconds of the monotonic clock."""

    slot: int = 0
    """Its number."""

    def __post_init__(self) -> None:
        """Make the gang of this slot."""
        self.gang = Gang(self, self.slot)

    def claim(self, owner: Any) -> None:
        """Give it to an owner."""
        self.is_free, self.owner, self.claims = False, owner, self.claims + 1

    def is_lost_to(self, claim: int) -> bool:
        """Whether the owner of that claim has it no more."""
        return self.claims != claim

    def take_report(self, claim: int) -> EpochReport:
        """The next report, for the owner of that claim; raises `LookupError` where it has the slot no more.

        The call of an actor that was killed waits on: it would take the next owner's report.
        """
        if self.is_lost_to(claim):
            raise LookupError(f"slot {self.slot} has another owner")
        report = self.reports.popleft()
        self.delivered_epoch = report.epoch
        return report

    def clear(self) -> None:
        """Remove the assignment."""
        self.assignment, self.idle_since = None, monotonic()

    def assign(self, assignment: Assignment | None, abandon: bool = False) -> None:
        """Replace the assignment, by none if None, and forget reports and errors.

        The worker of the one before ends with its epoch, or at its next step if that is to `abandon` it.
        """
        if abandon:
            self.abandoned_sequence = self.sequence
        self.clear()
        self.assignment = assignment
        self.granted_epochs = self.delivered_epoch = 0
        self.reported_epoch = -1
        self.reports.clear()
        self.clear_errors()

    def shrink_micro_batch(self, micro_batch: int) -> None:
        """Let the present assignment be resumed in micro-batches of so many images."""
        if self.assignment is not None:
            self.assignment = self.assignment.model_copy(update={"micro_batch": micro_batch})
            self.gang.is_end_expected = True  # a smaller batch is progress: the group's end, which follows, is no error

    def clear_errors(self) -> None:
        """Forget the errors of the present assignment, which is new or has trained another epoch."""
        self.errors, self.avoided_slots = (), frozenset()

    def retry(self, decision: RetryDecision) -> None:
        """Let the present assignment be resumed from its newest checkpoint after an error."""
        if self.assignment is not None:
            self.assignment = self.assignment.model_copy(update={"attempt": len(self.errors)})
            self.avoided_slots = decision.avoid

    def fail(self) -> None:
        """End the present assignment with a report of its failure."""
        if self.assignment is not None:
            reason = describe_failure(self.errors)
            self.reports.append(failure(self.assignment.trial, reason, max(0, self.reported_epoch)))
            self.clear()

    def is_undecided(self, trial: str, epoch: int) -> bool:
        """Whether the report of a trial's `epoch` is the last one delivered, and nothing was decided after it."""
        here = self.assignment is not None and self.assignment.trial == trial
        return here and self.granted_epochs < epoch == self.delivered_epoch

    def avoids(self, gang: Gang, up: set[int]) -> bool:
        """Whether the present assignment avoids a gang, and a slot in `up` has one that it does not avoid."""
        return gang.slot in self.avoided_slots and bool(up - self.avoided_slots)

    def is_waiting(self, up: set[int]) -> bool:
        """Whether it has an assignment and no gang that should train it."""
        return self.assignment is not None and (not self.gang.is_up or self.avoids(self.gang, up))

    def rank_gang(self, gang: Gang, up: set[int]) -> tuple[bool, bool, bool]:
        """Sort key of gangs for the assignment: one that is up, else one that may come up, else a starting one."""
        avoided = self.avoids(gang, up)
        return gang.is_up and not avoided, not (gang.retired or avoided), gang.is_needed


def match_trials(states: Iterable[SlotState], renumber: Callable[[SlotState], None]) -> bool:
    """Give waiting trials, the longest waiting first, to idle gangs; mark gangs that are still needed as such.

    Gangs swap slots only where nothing is trained; `renumber` gives the trial a new sequence, so that older reports of
    it are ignored. Returns whether any gang changed.
    """
    states = list(states)
    up = {state.gang.slot for state in states if state.gang.is_up}
    waiting = sorted((state for state in states if state.is_waiting(up)), key=lambda state: state.sequence)
    idle = [state.gang for state in states if state.assignment is None] if waiting else []
    changed = False
    for state in waiting:
        rates = partial(state.rank_gang, up=up)
        best = max(idle, key=rates, default=None)
        if best is not None and rates(best) > rates(state.gang):
            idle.remove(best)
            _swap_gangs(state, best)
            renumber(state)
            changed = True
        if not state.gang.is_needed:
            state.gang.is_needed, state.gang.changed_at = True, monotonic()
            changed = True
    return changed


def seconds_until_unneeded(gang: Gang, gangs: Iterable[Gang], rest: float) -> float:
    """Seconds until a gang has been idle for `rest` seconds, unless something changes; infinite for the last one up."""
    if gang.state.assignment is not None or not any(other.is_up for other in gangs if other is not gang):
        return float("inf")
    return max(gang.changed_at, gang.state.idle_since) + rest - monotonic()


def _swap_gangs(state: SlotState, gang: Gang) -> None:
    """Let `gang` serve the slot `state`, and the gang of that slot the one that `gang` served."""
    gang.state.gang, state.gang.state = state.gang, gang.state
    state.gang, gang.state = gang, state
