"""Median stopping: a trial pauses where even its best value is below the median of the trials' running averages.

Vizier's rule (Golovin et al. 2017, doi:10.1145/3097983.3098043, section 3.2.1), asked at rungs alone. There a trial
pauses, instead of being stopped, and is promoted if later trials lower the median.
"""

import math
from bisect import insort
from dataclasses import dataclass, field
from statistics import fmean, median

from searchspace.stopping.rule import StoppingRule
from searchspace.stopping.rung import Observation, RungStanding

MIN_TRIALS = 3
"""Trials at a rung from which on there is a median; earlier ones train on."""


@dataclass
class _MedianRung:
    """What is known at one rung."""

    epoch: int
    """Where it is."""
    averages: list[float] = field(default_factory=list)
    """Mean value of each trial over its epochs up to here, ascending; minus infinity for one that failed before."""
    best: dict[int, float] = field(default_factory=dict)
    """Best value up to here, by trial."""
    paused: set[int] = field(default_factory=set)
    """Trials that are paused here."""

    @property
    def cutoff(self) -> float:
        """What a trial's best value has to reach; minus infinity while too few trials came here."""
        return median(self.averages) if len(self.averages) >= MIN_TRIALS else -math.inf


class MedianStopping(StoppingRule):
    """Compares the best value of each trial at each rung with the median of all trials' averages there."""

    def __init__(self, rungs: tuple[int, ...], _factor: int) -> None:
        """Compare at `rungs`, in epochs; the reduction factor only sets these."""
        self._rungs = [_MedianRung(epoch) for epoch in rungs]
        self._values: dict[int, dict[int, float]] = {}

    def report(self, observation: Observation) -> bool:
        """Hear of a trial's epoch; True if the trial trains on at once, False if it pauses."""
        values = self._values.setdefault(observation.trial, {})
        values[observation.epoch] = observation.value
        rung = next((rung for rung in self._rungs if rung.epoch == observation.epoch), None)
        if rung is None:
            return True
        if observation.trial in rung.best:
            return observation.trial not in rung.paused
        rung.best[observation.trial] = max(values.values())
        insort(rung.averages, fmean(values.values()))
        if rung.best[observation.trial] >= rung.cutoff:
            return True
        rung.paused.add(observation.trial)
        return False

    def fail(self, trial: int, kind: str = "") -> None:  # noqa: ARG002  # one rule, one kind
        """Hear that a trial failed: at its next rung it counts below all others."""
        rung = next((rung for rung in self._rungs if trial not in rung.best), None)
        if rung is not None:
            rung.best[trial] = -math.inf
            insort(rung.averages, -math.inf)
        for each in self._rungs:
            each.paused.discard(trial)

    def promote(self) -> int | None:
        """Promote the best of the paused trials that reach the median now, from the highest rung that has one."""
        for rung in reversed(self._rungs):
            trial = max(rung.paused, key=lambda trial: (rung.best[trial], -trial), default=None)
            if trial is not None and rung.best[trial] >= rung.cutoff:
                rung.paused.remove(trial)
                return trial
        return None

    def resume(self, trial: int) -> None:
        """Hear that a paused trial trains on, as it did in a part of the search that is being recalled."""
        for rung in self._rungs:
            rung.paused.discard(trial)

    def standing(self, trial: int) -> RungStanding | None:
        """Where a paused trial stands among the averages at its rung; None for any other."""
        rung = next((rung for rung in self._rungs if trial in rung.paused), None)
        if rung is None:
            return None
        best = rung.best[trial]
        rank = 1 + sum(average > best for average in rung.averages)
        return RungStanding(rung=rung.epoch, value=best, cutoff=rung.cutoff, rank=rank, of=len(rung.averages))
