"""What the mailbox knows: desks, where owners lay trials and wait for reports, and the gangs that serve them."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from trainables.config import Assignment, EpochReport, Frozen, failure

MAX_DEATHS = 2
"""Worker groups that one epoch of an assignment may outlive; the next one to die takes the trial with it."""


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

    @property
    def worth(self) -> tuple[bool, bool, bool]:
        """Which of two gangs a trial rather goes to: one that is up, that can be up, that is coming up."""
        return self.whole, not self.broken, self.called

    def lose(self) -> None:
        """Its workers are no more. That is one death of what they trained, unless it was known to come."""
        if self.taken == self.desk.sequence and not self.excused:
            self.desk.count_death()
        self.whole, self.excused, self.since = False, False, monotonic()
        self.taken = min(self.taken, 0)


@dataclass(eq=False)
class Desk:
    """What lies between an owner and the gang that serves it."""

    gang: Gang = field(init=False)
    """Who works here."""
    free: bool = True
    """Whether nobody holds it."""
    owner: Any = None
    """The trial actor that holds it, if one does."""
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

    def __post_init__(self) -> None:
        """A desk begins with a gang of its own."""
        self.gang = Gang(self)

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

    def shrink(self, micro_batch: int) -> None:
        """The present assignment is taken up next in micro-batches of so many images."""
        if self.assignment is not None:
            # A smaller batch is progress, not one more death; the group's end, which follows, counts as one.
            smaller = {"micro_batch": micro_batch, "attempt": self.assignment.attempt - 1}
            self.assignment = self.assignment.model_copy(update=smaller)

    def count_death(self) -> None:
        """Workers died of the present assignment, or with it; it is over if too many have."""
        if self.assignment is None:
            return
        deaths = self.assignment.attempt + 1
        if deaths > MAX_DEATHS:
            reason = f"its workers died {deaths} times"
            self.reports.append(failure(self.assignment.trial, reason, max(0, self.reported)))
            self.clear()
        else:
            self.assignment = self.assignment.model_copy(update={"attempt": deaths})

    @property
    def is_waiting(self) -> bool:
        """Whether a trial lies here, and nobody who could train it is here."""
        return self.assignment is not None and not self.gang.whole


def match(desks: Iterable[Desk], renumber: Callable[[Desk], None]) -> bool:
    """Bring trials that wait to gangs that do not, who waits longest first, and call the gangs that are still needed.

    Gangs change desks only where nothing is trained; `renumber` voids what was said on the trial before. Returns
    whether any did, or was called.
    """
    desks = list(desks)
    waiting = sorted((desk for desk in desks if desk.is_waiting), key=lambda desk: desk.sequence)
    idle = sorted((desk.gang for desk in desks if desk.assignment is None), key=lambda g: g.worth) if waiting else []
    changed = False
    for desk in waiting:
        if idle and idle[-1].worth > desk.gang.worth:
            _trade(desk, idle.pop())
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
