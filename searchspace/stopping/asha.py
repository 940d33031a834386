"""ASHA (arXiv:1810.05934): a trial pauses at each rung until it is among the best there, and is promoted then.

Ray Tune's ASHA never pauses a trial: it stops it, or trains it on, by the few values that came before. Here a warm gang
resumes a paused trial's checkpoint at once, so the paper's own rule costs nothing and compares with all values.
"""

import math

from searchspace.stopping.rule import StoppingRule
from searchspace.stopping.rung import Observation, Order, Rung, RungStanding, by_value


class Asha(StoppingRule):
    """The best one in `factor` of the trials that reach a rung is promoted."""

    def __init__(self, rungs: tuple[int, ...], factor: int, order: Order = by_value) -> None:
        """Compare at `rungs`, in epochs, in the given order."""
        self._factor, self._order = factor, order
        self._rungs = [Rung(epoch) for epoch in rungs]
        self._drained = False

    def report(self, observation: Observation) -> bool:
        """Hear of a trial's epoch; True if the trial trains on at once, False if it pauses."""
        rung = next((rung for rung in self._rungs if rung.epoch == observation.epoch), None)
        if rung is None or observation.trial in rung.passed:
            return True
        rung.values[observation.trial] = observation.value
        return self._pass(rung, observation.trial) if observation.trial in self._promotable(rung) else False

    def fail(self, trial: int, kind: str = "") -> None:  # noqa: ARG002  # one rule, one kind
        """Hear that a trial failed: at its next rung it counts below all others."""
        rung = next((rung for rung in self._rungs if trial not in rung.values), None)
        if rung is not None:
            rung.values[trial] = -math.inf

    def promote(self) -> int | None:
        """Promote a paused trial, from the highest rung that has a promotable one."""
        for rung in reversed(self._rungs):
            for trial in self._promotable(rung):
                if trial not in rung.passed:
                    self._pass(rung, trial)
                    return trial
        return None

    def resume(self, trial: int) -> None:
        """Hear that a paused trial trains on, as it did in a part of the search that is being recalled."""
        self._pass([rung for rung in self._rungs if trial in rung.values][-1], trial)

    def drain(self) -> None:
        """Hear that no new trials come: from now on the best of each rung is promotable, however few came there."""
        self._drained = True

    def standing(self, trial: int) -> RungStanding | None:
        """Where a paused trial stands at its rung; None for any other."""
        rung = next((rung for rung in reversed(self._rungs) if trial in rung.values), None)
        if rung is None or trial in rung.passed or rung.values[trial] == -math.inf:
            return None
        return rung.standing(trial, self._order)

    def _promotable(self, rung: Rung) -> list[int]:
        count = len(rung.values) // self._factor
        return rung.best(max(count, 1) if self._drained else count, self._order)

    def _pass(self, rung: Rung, trial: int) -> bool:
        rung.passed.add(trial)
        return True
