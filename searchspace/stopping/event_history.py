"""What a rule heard, in order, so that a search that is resumed decides as if it had never been away."""

from collections.abc import Iterable

from searchspace.stopping.rule import Rule
from searchspace.stopping.rung import Mark
from trainables.config import Frozen


class Event(Frozen):
    """One thing that a rule heard, or decided later than at a report."""

    order: int
    """Its place among all events of the search."""
    trial: int
    """Number of the trial."""
    kind: str = ""
    """Kind of its network."""
    mark: Mark | None = None
    """The epoch that was reported; None for another event."""
    failed: bool = False
    """Whether the trial failed, rather than went on from where it waited."""


def recall(rule: Rule, events: Iterable[Event]) -> None:
    """Let `rule` hear again what it heard, from its beginning."""
    for event in sorted(events, key=lambda event: event.order):
        if event.mark is not None:
            if rule.standing(event.trial) is not None:
                rule.go_on(event.trial)  # the last ones of a search went on for want of others
            rule.report(event.mark)
        elif event.failed:
            rule.fail(event.trial, event.kind)
        else:
            rule.go_on(event.trial)
