"""PASHA (arXiv:2207.06940): ASHA that raises its longest training only until the ranking of trials is stable."""

from itertools import combinations

import numpy as np

from searchspace.stopping.asha import Asha
from searchspace.stopping.rung import Observation, Rung

PERCENTILE = 90.0
"""Of the distances between curves that cross twice: what counts as noise (the paper's N)."""


class Pasha(Asha):
    """ASHA with a highest rung, which moves up only while the ranking there differs from the one at the rung below."""

    def __init__(self, rungs: tuple[int, ...], factor: int) -> None:
        """Compare at `rungs`, in epochs."""
        super().__init__(rungs, factor)
        self._top = 1
        self._curves: dict[int, dict[int, float]] = {}

    def report(self, observation: Observation) -> bool:
        """Hear of a trial's epoch; True if the trial trains on at once, False if it pauses."""
        self._curves.setdefault(observation.trial, {})[observation.epoch] = observation.value
        trains_on = super().report(observation)
        at_top = self._top < len(self._rungs) and observation.epoch == self._rungs[self._top].epoch
        if at_top and not self._is_stable():
            self._top += 1
        return trains_on

    def _promotable(self, rung: Rung) -> list[int]:
        return super()._promotable(rung) if rung in self._rungs[: self._top] else []

    def _is_stable(self) -> bool:
        """Whether each place of the top rung's ranking is held by a trial that is as good, but for noise, below."""
        top, below = self._rungs[self._top].values, self._rungs[self._top - 1].values
        trials = [trial for trial in self._order(top) if trial in self._curves]
        ranked = sorted(trials, key=lambda trial: -below[trial])
        noise = self._noise(trials)
        return all(abs(below[one] - below[other]) <= noise for one, other in zip(trials, ranked, strict=True))

    def _noise(self, trials: list[int]) -> float:
        """The distance of curves that cross and cross back: a smaller distance ranks nothing."""
        gaps = []
        for one, other in combinations(trials, 2):
            epochs = sorted(self._curves[one].keys() & self._curves[other].keys())
            gap = np.array([self._curves[one][e] - self._curves[other][e] for e in epochs])
            signs = np.sign(gap[gap != 0])
            if (signs[1:] != signs[:-1]).sum() >= 2:
                gaps.append(abs(float(gap[-1])))
        return float(np.percentile(gaps, PERCENTILE)) if gaps else 0.0
