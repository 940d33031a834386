"""Early stopping within each kind of network: trials are compared only with trials of their kind.

Frozen features are at their best after two epochs, when a network trained from scratch has hardly begun; one rung for
both would stop all networks of the kind that does better in the end.
"""

from collections.abc import Callable

from searchspace.stopping.rule import StoppingRule
from searchspace.stopping.rung import Observation, RungStanding


class ByKind(StoppingRule):
    """A rule of its own for each kind, all made alike; the first trial of each kind is compared, but never pauses.

    That trial is no random draw but a default that is seldom far off. So there is a full-length trial early: for the
    sampler, for a user who ends the search early, and for kinds that later trials do without.
    """

    def __init__(self, make: Callable[[], StoppingRule]) -> None:
        """Stop by the rules that `make` makes."""
        self._make = make
        self._rules: dict[str, StoppingRule] = {}
        self._kinds: dict[int, str] = {}
        self._first: dict[str, int] = {}
        self._drained = False

    def report(self, observation: Observation) -> bool:
        """Hear of a trial's epoch; True if the trial trains on at once, False if it pauses."""
        rule = self._rule(observation.trial, observation.kind)
        trains_on = rule.report(observation)
        if not trains_on and observation.trial == self._first[observation.kind]:
            rule.resume(observation.trial)
            return True
        return trains_on

    def fail(self, trial: int, kind: str = "") -> None:
        """Hear that a trial of a kind failed."""
        self._rule(trial, kind).fail(trial)

    def promote(self) -> int | None:
        """Promote a paused trial, of the kind that came first among those that have a promotable one."""
        return next((trial for rule in self._rules.values() if (trial := rule.promote()) is not None), None)

    def resume(self, trial: int) -> None:
        """Hear that a paused trial trains on, as it did in a part of the search that is being recalled."""
        self._rules[self._kinds[trial]].resume(trial)

    def drain(self) -> None:
        """Hear that no new trials come, of any kind."""
        self._drained = True
        for rule in self._rules.values():
            rule.drain()

    def standing(self, trial: int) -> RungStanding | None:
        """Where a paused trial stands among its kind; None for any other."""
        return self._rules[self._kinds[trial]].standing(trial) if trial in self._kinds else None

    def _rule(self, trial: int, kind: str) -> StoppingRule:
        self._kinds[trial] = kind
        self._first.setdefault(kind, trial)
        if kind not in self._rules:
            self._rules[kind] = self._make()
            if self._drained:
                self._rules[kind].drain()
        return self._rules[kind]
