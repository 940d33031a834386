"""A search replayed over recorded learning curves by the same rules, without training."""

import heapq
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from searchspace.stopping.rule import StoppingRule
from searchspace.stopping.rung import Observation


@dataclass(frozen=True)
class Curve:
    """One trial's recorded epochs."""

    seconds: Sequence[float]
    """Training seconds from the start to each epoch's end."""
    values: Sequence[float]
    """Objective value after each epoch; minus infinity from where it diverged."""
    kind: str = ""
    """Kind of the network."""


@dataclass(frozen=True)
class Step:
    """One epoch of a replayed search."""

    time: float
    """Seconds since the search's start."""
    observation: Observation
    """The events that the rule received."""


def simulate(curves: Sequence[Curve], rule: StoppingRule, slots: int = 1) -> Iterator[Step]:
    """Epochs in the order in which `slots` gangs would end them; `curves` are begun in their order."""
    gangs = _Gangs(curves, rule, slots)
    while gangs.fill():
        time, trial = heapq.heappop(gangs.busy)
        step = gangs.end_epoch(time, trial)
        yield step
        if step.observation.value == -math.inf:
            rule.fail(trial, step.observation.kind)
        elif rule.report(step.observation) and not gangs.is_over(trial):
            gangs.begin(time, trial)


class _Gangs:
    """What is being trained, and how many epochs every trial has."""

    def __init__(self, curves: Sequence[Curve], rule: StoppingRule, slots: int) -> None:
        self.busy: list[tuple[float, int]] = []  # a heap: when the epoch will have ended, of which trial
        self._curves, self._rule, self._slots = curves, rule, slots
        self._reached = [0] * len(curves)
        self._begun = 0
        self._now = 0.0

    def fill(self) -> bool:
        """Give every idle gang a trial; False where there is nothing left to train."""
        while len(self.busy) < self._slots and (trial := self._next()) is not None:
            self.begin(self._now, trial)
        return bool(self.busy)

    def _next(self) -> int | None:
        promoted = self._promoted()
        if promoted is None and self._begun < len(self._curves):
            self._begun += 1
            return self._begun - 1
        if promoted is None and not self.busy:
            self._rule.drain()
            return self._promoted()
        return promoted

    def _promoted(self) -> int | None:
        while (trial := self._rule.promote()) is not None and self.is_over(trial):
            pass  # its recorded curve ends at this rung
        return trial

    def is_over(self, trial: int) -> bool:
        """Whether a trial's recorded curve has come to its end."""
        return self._reached[trial] >= len(self._curves[trial].values)

    def begin(self, time: float, trial: int) -> None:
        """Begin a trial's next epoch."""
        epoch, seconds = self._reached[trial], self._curves[trial].seconds
        heapq.heappush(self.busy, (time + seconds[epoch] - (seconds[epoch - 1] if epoch else 0.0), trial))

    def end_epoch(self, time: float, trial: int) -> Step:
        """End the epoch of a trial at `time`."""
        self._now = time
        self._reached[trial] += 1
        epoch, curve = self._reached[trial], self._curves[trial]
        value, seconds = curve.values[epoch - 1], curve.seconds[epoch - 1]
        return Step(time, Observation(trial=trial, epoch=epoch, value=value, seconds=seconds, kind=curve.kind))
