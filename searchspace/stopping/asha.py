"""ASHA (arXiv:1810.05934): a trial waits at each rung until it is among the best there, and only then goes on.

Ray Tune's variant never lets a trial wait: it stops it, or trains it on, by what the few before it had. Here a warm
gang takes up a waiting trial's checkpoint in a moment, so the paper's own rule costs nothing and judges by all.
"""

import math

from searchspace.stopping.rung import Mark, Order, Rung, Standing, by_merit


class Asha:
    """One in `factor` of those that come to a rung goes on from there, best first."""

    def __init__(self, rungs: tuple[int, ...], factor: int, order: Order = by_merit) -> None:
        """Compare at `rungs`, in epochs, in the given order."""
        self._factor, self._order = factor, order
        self._rungs = [Rung(epoch) for epoch in rungs]
        self._drained = False

    def report(self, mark: Mark) -> bool:
        """Hear of a trial's epoch; whether the trial trains on at once, rather than waits."""
        rung = next((rung for rung in self._rungs if rung.epoch == mark.epoch), None)
        if rung is None or mark.trial in rung.passed:
            return True
        rung.merits[mark.trial] = mark.merit
        return self._pass(rung, mark.trial) if mark.trial in self._able(rung) else False

    def fail(self, trial: int, kind: str = "") -> None:  # noqa: ARG002  # one rule, one kind
        """Hear that a trial failed: it counts among those that the next rung held back."""
        rung = next((rung for rung in self._rungs if trial not in rung.merits), None)
        if rung is not None:
            rung.merits[trial] = -math.inf

    def promote(self) -> int | None:
        """A waiting trial that may go on now, from the highest rung that has one."""
        for rung in reversed(self._rungs):
            for trial in self._able(rung):
                if trial not in rung.passed:
                    self._pass(rung, trial)
                    return trial
        return None

    def go_on(self, trial: int) -> None:
        """Hear that a waiting trial goes on, as it did in a part of the search that is being recalled."""
        self._pass([rung for rung in self._rungs if trial in rung.merits][-1], trial)

    def drain(self) -> None:
        """No new trials come: from now on the best of every rung goes on, however few came there."""
        self._drained = True

    def standing(self, trial: int) -> Standing | None:
        """Where a waiting trial stands at its rung; None for one that does not wait."""
        reached = [rung for rung in self._rungs if trial in rung.merits]
        if not reached or trial in reached[-1].passed:
            return None
        return reached[-1].standing(trial, self._order)

    def _able(self, rung: Rung) -> list[int]:
        count = len(rung.merits) // self._factor
        return rung.best(max(count, 1) if self._drained else count, self._order)

    def _pass(self, rung: Rung, trial: int) -> bool:
        rung.passed.add(trial)
        return True
