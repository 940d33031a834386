"""Early stopping within each kind of network: a slow starter is compared with slow starters.

Frozen features are at their best after two epochs, when a network that learns from scratch has hardly begun; one rung
for both would stop every one of the kind that does better in the end.
"""

from collections.abc import Callable

from searchspace.stopping.rule import Rule
from searchspace.stopping.rung import Mark, Standing


class ByKind:
    """A rule of its own for each kind, all made alike; the first trial of each is compared, and goes on in any case.

    It is no random draw but what seldom is far off. So there is a full-length trial early, for the sampler, for whoever
    cuts the search short, and for kinds that later trials do without.
    """

    def __init__(self, make: Callable[[], Rule]) -> None:
        """Stop by what `make` makes."""
        self._make = make
        self._rules: dict[str, Rule] = {}
        self._kinds: dict[int, str] = {}
        self._first: dict[str, int] = {}
        self._drained = False

    def report(self, mark: Mark) -> bool:
        """Hear of a trial's epoch; whether the trial trains on at once, rather than waits."""
        rule = self._rule(mark.trial, mark.kind)
        goes_on = rule.report(mark)
        if not goes_on and mark.trial == self._first[mark.kind]:
            rule.go_on(mark.trial)
            return True
        return goes_on

    def fail(self, trial: int, kind: str = "") -> None:
        """Hear that a trial of a kind failed."""
        self._rule(trial, kind).fail(trial)

    def promote(self) -> int | None:
        """A waiting trial that may go on now, of the kind that came first among those that have one."""
        return next((trial for rule in self._rules.values() if (trial := rule.promote()) is not None), None)

    def go_on(self, trial: int) -> None:
        """Hear that a waiting trial goes on, as it did in a part of the search that is being recalled."""
        self._rules[self._kinds[trial]].go_on(trial)

    def drain(self) -> None:
        """No new trials come: from now on the best of each kind goes on."""
        self._drained = True
        for rule in self._rules.values():
            rule.drain()

    def standing(self, trial: int) -> Standing | None:
        """Where a waiting trial stands among its kind; None for one that does not wait."""
        return self._rules[self._kinds[trial]].standing(trial) if trial in self._kinds else None

    def _rule(self, trial: int, kind: str) -> Rule:
        self._kinds[trial] = kind
        self._first.setdefault(kind, trial)
        if kind not in self._rules:
            self._rules[kind] = self._make()
            if self._drained:
                self._rules[kind].drain()
        return self._rules[kind]
