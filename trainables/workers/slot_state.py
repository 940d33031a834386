"""What the mailbox knows: desks, where owners lay trials and wait for reports, and the gangs that serve them."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from typing import Any

from trainables.config import Assignment, EpochReport, Frozen, failure
from trainables.workers.slot_errors import Decision, SlotError, describe_failure


class GangInfo(Frozen):
    """What a gang's rank 0 says of itself when it is ready."""

    device: str
    """`cpu`, or the GPU's name."""
    precision: str
    """`bf16` or `fp32`."""
    threads: int
    """Threads of each worker."""


@dataclass(eq=False)
class Gang:
    """One gang, as its workers and those who keep it up tell of it."""

    desk: "Desk"
    """Where it works; another one, when a trial there has nobody and this gang has nothing to do."""
    slot: int = 0
    """Its slot, wherever it works."""
    place: str = ""
    """Node and device of its newest rank 0."""
    errors: tuple[SlotError, ...] = ()
    """Those that happened on it since a trial last came through there."""
    info: GangInfo | None = None
    """What its newest rank 0 said; None if it never came up."""
    whole: bool = False
    """Whether it has workers who can train."""
    called: bool = True
    """Whether it is to be up: no gang without work has to, where its place can be of use to others."""
    since: float = field(default_factory=monotonic)
    """When it was called, came up, or lost its workers; seconds of the monotonic clock."""
    generation: int = 0
    """Counts its worker groups."""
    taken: int = 0
    """Newest sequence that the present worker group's rank 0 took up; -1 once it has been sent home."""
    took: Assignment | None = None
    """What it took up then."""
    broken: str = ""
    """Why it is gone for good."""
    excused: bool = False
    """Whether the present worker group's end is known to come, from outside."""

    def has_work(self, after: int, gangs: Iterable["Gang"]) -> bool:
        """Whether a trial lies at its desk that it has not taken up, and that does not wait for another of `gangs`."""
        up = {gang.slot for gang in gangs if gang.whole}
        return self.desk.assignment is not None and self.desk.sequence > after and not self.desk.avoids(self, up)

    def lose(self) -> bool:
        """Its workers are no more; whether that is a death of what they trained, which was not known to come."""
        died = self.taken == self.desk.sequence and self.desk.assignment is not None and not self.excused
        self.whole, self.excused, self.since = False, False, monotonic()
        self.taken = min(self.taken, 0)
        return died


@dataclass(eq=False)
class Desk:
    """What lies between an owner and the gang that serves it."""

    gang: Gang = field(init=False)
    """Who works here."""
    free: bool = True
    """Whether nobody holds it."""
    owner: Any = None
    """The trial actor that holds it, if one does."""
    errors: tuple[SlotError, ...] = ()
    """Those of the present assignment since its newest epoch."""
    avoided: frozenset[int] = frozenset()
    """Slots that the present assignment does not go back to while another one can train."""
    assignment: Assignment | None = None
    """What is to be trained."""
    sequence: int = 0
    """Number of the present assignment, and of its handing to the present gang; a word on an older one is void."""
    granted: int = 0
    """Epochs of the present assignment whose reports its owner has seen and followed by asking for more."""
    delivered: int = 0
    """Epoch of the report last handed to the owner."""
    reported: int = -1
    """Epoch of the newest report; older ones, from a resumed trial, are not told twice."""
    reports: deque[EpochReport] = field(default_factory=deque)
    """Those that the owner has not asked for yet."""
    cleared: float = field(default_factory=monotonic)
    """When there was last anything to train; seconds of the monotonic clock."""

    slot: int = 0
    """Its number, and the slot of the gang that it begins with."""

    def __post_init__(self) -> None:
        """A desk begins with a gang of its own."""
        self.gang = Gang(self, self.slot)

    def clear(self) -> None:
        """Nothing is to be trained here any more."""
        self.assignment, self.cleared = None, monotonic()

    def lay(self, assignment: Assignment | None) -> None:
        """Lay an assignment here, or none, instead of what was here."""
        self.clear()
        self.assignment = assignment
        self.granted = self.delivered = 0
        self.reported = -1
        self.reports.clear()
        self.forgive()

    def shrink(self, micro_batch: int) -> None:
        """The present assignment is taken up next in micro-batches of so many images."""
        if self.assignment is not None:
            self.assignment = self.assignment.model_copy(update={"micro_batch": micro_batch})
            self.gang.excused = True  # a smaller batch is progress: the group's end, which follows, is no error

    def forgive(self) -> None:
        """The present assignment has no errors to its name: it is new, or has trained another epoch."""
        self.errors, self.avoided = (), frozenset()

    def try_again(self, decision: Decision) -> None:
        """After an error, the present assignment is to be trained again from its newest checkpoint."""
        if self.assignment is not None:
            self.assignment = self.assignment.model_copy(update={"attempt": len(self.errors)})
            self.avoided = decision.avoid

    def fail(self) -> None:
        """The present assignment is over: its errors followed it."""
        if self.assignment is not None:
            reason = describe_failure(self.errors)
            self.reports.append(failure(self.assignment.trial, reason, max(0, self.reported)))
            self.clear()

    def avoids(self, gang: Gang, up: set[int]) -> bool:
        """Whether the present assignment goes to any other gang than this, of those whose slots are `up`."""
        return gang.slot in self.avoided and bool(up - self.avoided)

    def is_waiting(self, up: set[int]) -> bool:
        """Whether a trial lies here, and nobody who should train it."""
        return self.assignment is not None and (not self.gang.whole or self.avoids(self.gang, up))

    def rates(self, gang: Gang, up: set[int]) -> tuple[bool, bool, bool]:
        """Which of two gangs its trial rather goes to: one that is up, that can be up, that is coming up."""
        avoided = self.avoids(gang, up)
        return gang.whole and not avoided, not (gang.broken or avoided), gang.called


def match(desks: Iterable[Desk], renumber: Callable[[Desk], None]) -> bool:
    """Bring trials that wait to gangs that do not, who waits longest first, and call the gangs that are still needed.

    Gangs change desks only where nothing is trained; `renumber` voids what was said on the trial before. Returns
    whether any did, or was called.
    """
    desks = list(desks)
    up = {desk.gang.slot for desk in desks if desk.gang.whole}
    waiting = sorted((desk for desk in desks if desk.is_waiting(up)), key=lambda desk: desk.sequence)
    idle = [desk.gang for desk in desks if desk.assignment is None] if waiting else []
    changed = False
    for desk in waiting:
        rates = partial(desk.rates, up=up)
        best = max(idle, key=rates, default=None)
        if best is not None and rates(best) > rates(desk.gang):
            idle.remove(best)
            _trade(desk, best)
            renumber(desk)
            changed = True
        if not desk.gang.called:
            desk.gang.called, desk.gang.since = True, monotonic()
            changed = True
    return changed


def seconds_to_rest(gang: Gang, gangs: Iterable[Gang], rest: float) -> float:
    """Seconds until a gang has had no work for `rest` seconds, if nothing changes; infinite for the last that is up."""
    if gang.desk.assignment is not None or not any(other.whole for other in gangs if other is not gang):
        return float("inf")
    return max(gang.since, gang.desk.cleared) + rest - monotonic()


def _trade(desk: Desk, gang: Gang) -> None:
    """Let `gang` work at `desk`, and whoever worked there where it did."""
    gang.desk.gang, desk.gang.desk = desk.gang, gang.desk
    desk.gang, gang.desk = gang, desk
