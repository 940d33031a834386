"""ASHA whose resource is training seconds: trials are compared at equal seconds, at any cost of an epoch."""

import bisect
import math

from searchspace.stopping.rule import StoppingRule
from searchspace.stopping.rung import Observation, RungStanding


class AshaSeconds(StoppingRule):
    """Pauses trials at the same epochs as ASHA; compares them there with what every trial had after as many seconds.

    A trial that was paused earlier counts with the best value that it had by then. One in `factor` of all passes the
    first rung, one in `factor` squared the second: where all epochs cost the same this is ASHA.
    """

    def __init__(self, rungs: tuple[int, ...], factor: int) -> None:
        """Pause trials at `rungs`, in epochs."""
        self._rungs, self._factor = rungs, factor
        self._seconds: dict[int, list[float]] = {}
        self._best: dict[int, list[float]] = {}
        self._paused: dict[int, Observation] = {}
        self._passed: dict[int, int] = {}
        self._drained = False

    def report(self, observation: Observation) -> bool:
        """Hear of a trial's epoch; True if the trial trains on at once, False if it pauses."""
        trial = observation.trial
        best = self._best.setdefault(trial, [])
        if len(best) < observation.epoch:  # a repeated epoch changes nothing
            best.append(max(observation.value, best[-1] if best else -math.inf))
            self._seconds.setdefault(trial, []).append(observation.seconds)
        if observation.epoch not in self._rungs or self._passed.get(trial, 0) >= observation.epoch:
            return True
        self._paused[trial] = observation
        return self._pass(observation) if self._is_promotable(observation) else False

    def fail(self, trial: int, kind: str = "") -> None:  # noqa: ARG002  # one rule, one kind
        """Hear that a trial failed: from now on it counts below all others."""
        self._paused.pop(trial, None)
        self._best[trial], self._seconds[trial] = [-math.inf], [0.0]

    def promote(self) -> int | None:
        """Promote a paused trial: of those with the most epochs, the best."""
        for paused in sorted(self._paused.values(), key=lambda each: (-each.epoch, -each.value)):
            if self._is_promotable(paused):
                self._pass(paused)
                return paused.trial
        return None

    def resume(self, trial: int) -> None:
        """Hear that a paused trial trains on, as it did in a part of the search that is being recalled."""
        self._pass(self._paused[trial])

    def drain(self) -> None:
        """Hear that no new trials come: from now on the best at each rung is promotable, however few came there."""
        self._drained = True

    def standing(self, trial: int) -> RungStanding | None:
        """Where a paused trial stands among all after as many seconds; None for any other."""
        paused = self._paused.get(trial)
        if paused is None:
            return None
        ranked = sorted(self._rivals(paused), reverse=True)
        places = self._places(paused, len(ranked))
        return RungStanding(
            rung=paused.epoch, value=paused.value, cutoff=ranked[max(places, 1) - 1],
            rank=self._rank(paused, ranked), of=len(ranked),
        )  # fmt: skip

    def _rivals(self, paused: Observation) -> list[float]:
        """Best values by `paused.seconds` of every trial that had any by then, its own included."""
        counts = {t: bisect.bisect_right(seconds, paused.seconds) for t, seconds in self._seconds.items()}
        return [self._best[trial][count - 1] for trial, count in counts.items() if count]

    def _rank(self, paused: Observation, values: list[float]) -> int:
        own = self._best[paused.trial][bisect.bisect_right(self._seconds[paused.trial], paused.seconds) - 1]
        return 1 + sum(value > own for value in values)

    def _places(self, paused: Observation, rivals: int) -> int:
        places: int = rivals // self._factor ** (self._rungs.index(paused.epoch) + 1)
        return max(places, 1) if self._drained else places

    def _is_promotable(self, paused: Observation) -> bool:
        values = self._rivals(paused)
        return self._rank(paused, values) <= self._places(paused, len(values))

    def _pass(self, paused: Observation) -> bool:
        self._passed[paused.trial] = paused.epoch
        self._paused.pop(paused.trial, None)
        return True
