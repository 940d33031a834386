"""The contract of early-stopping rules, and the restoring of a rule's state for a resumed search."""

from abc import ABC, abstractmethod
from collections.abc import Iterable

from searchspace.stopping.rung import Observation, RungStanding
from trainables.config import Frozen


class StoppingRule(ABC):
    """Decides after each epoch of each trial whether the trial trains on, or pauses at a rung.

    A rule is pure: it has no clock, no randomness and no files, and what it decides follows from the calls that it got,
    in their order. So a resumed search repeats the calls (`recall`), and a replay needs no training.

    1. It hears of every epoch of a trial in order, of trials in any order. An epoch may be reported twice, by a trial
       that resumed from an older checkpoint; that changes nothing.
    2. A trial pauses only at a rung, one of the epochs the rule was made with: gangs wait for a decision nowhere else.
    3. `standing` is None exactly for the trials that are not paused.
    4. `promote` returns a paused trial, which is not paused any more, or None while there is none to promote.
    5. A trial that failed is never promoted, and counts below all others.
    6. After `drain` no new trials come, and `promote` returns what is still worth training until it returns None.
    7. Without noise the best trial is trained as long as any other that may pause.

    `tests` hold every rule of `stopping.rules` to this.
    """

    @abstractmethod
    def report(self, observation: Observation) -> bool:
        """Hear of a trial's epoch; True if the trial trains on at once, False if it pauses."""

    @abstractmethod
    def promote(self) -> int | None:
        """Promote a paused trial; returns its number, or None."""

    @abstractmethod
    def resume(self, trial: int) -> None:
        """Hear that a paused trial trains on, as it did in a part of the search that is being recalled."""

    @abstractmethod
    def standing(self, trial: int) -> RungStanding | None:
        """Where a paused trial stands; None for any other."""

    def fail(self, trial: int, kind: str = "") -> None:  # noqa: B027  # a rule may ignore it
        """Hear that a trial, whose network is of `kind`, failed."""

    def drain(self) -> None:  # noqa: B027  # a rule may ignore it
        """Hear that no new trials come."""


class RuleEvent(Frozen):
    """One event that a rule received, or a decision that it made outside of a report."""

    order: int
    """Its place among all events of the search."""
    trial: int
    """Number of the trial."""
    kind: str = ""
    """Kind of its network."""
    observation: Observation | None = None
    """The epoch that was reported; None for another event."""
    failed: bool = False
    """Whether the trial failed, rather than resumed from where it was paused."""


def recall(rule: StoppingRule, events: Iterable[RuleEvent]) -> None:
    """Replay recorded events to a new `rule`, so that it decides as the earlier rule would."""
    for event in sorted(events, key=lambda event: event.order):
        if rule.standing(event.trial) is not None:
            rule.resume(event.trial)  # at the end of a search, trials are promoted at once, which is no event
        if event.observation is not None:
            rule.report(event.observation)
        elif event.failed:
            rule.fail(event.trial, event.kind)
