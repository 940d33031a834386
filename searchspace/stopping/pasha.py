"""PASHA (arXiv:2207.06940): ASHA that trains no longer than it takes to know the ranking."""

from itertools import combinations

import numpy as np

from searchspace.stopping.asha import Asha
from searchspace.stopping.rung import Mark, Rung

PERCENTILE = 90.0
"""Of the distances between curves that cross twice: what counts as noise (the paper's N)."""


class Pasha(Asha):
    """The highest rung that may be left moves up only while the ranking there differs from the rung's below."""

    def __init__(self, rungs: tuple[int, ...], factor: int) -> None:
        """Compare at `rungs`, in epochs."""
        super().__init__(rungs, factor)
        self._top = 1
        self._curves: dict[int, dict[int, float]] = {}

    def report(self, mark: Mark) -> bool:
        """Hear of a trial's epoch; whether the trial trains on at once, rather than waits."""
        self._curves.setdefault(mark.trial, {})[mark.epoch] = mark.merit
        goes_on = super().report(mark)
        if self._top < len(self._rungs) and mark.epoch == self._rungs[self._top].epoch and not self._is_stable():
            self._top += 1
        return goes_on

    def _able(self, rung: Rung) -> list[int]:
        return super()._able(rung) if rung in self._rungs[: self._top] else []

    def _is_stable(self) -> bool:
        """Whether each place of the top rung's ranking is held by a trial that is as good, but for noise, below."""
        top, below = self._rungs[self._top].merits, self._rungs[self._top - 1].merits
        trials = [trial for trial in self._order(top) if trial in self._curves]
        ranked = sorted(trials, key=lambda trial: -below[trial])
        noise = self._noise(trials)
        return all(abs(below[one] - below[other]) <= noise for one, other in zip(trials, ranked, strict=True))

    def _noise(self, trials: list[int]) -> float:
        """The distance that curves which cross and cross back have: a smaller one ranks nothing."""
        gaps = []
        for one, other in combinations(trials, 2):
            epochs = sorted(self._curves[one].keys() & self._curves[other].keys())
            gap = np.array([self._curves[one][e] - self._curves[other][e] for e in epochs])
            signs = np.sign(gap[gap != 0])
            if (signs[1:] != signs[:-1]).sum() >= 2:
                gaps.append(abs(float(gap[-1])))
        return float(np.percentile(gaps, PERCENTILE)) if gaps else 0.0
