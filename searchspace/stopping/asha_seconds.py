"""ASHA whose resource is training seconds: trials are compared at equal seconds, whatever an epoch costs them."""

import bisect
import math

from searchspace.stopping.rung import Mark, Standing


class AshaSeconds:
    """Waits at the same epochs as ASHA, and is compared there with what every trial had after as many seconds.

    A trial that was held back earlier counts with the best that it had by then. One in `factor` of all passes the
    first rung, one in `factor` squared the second: where all epochs cost the same this is ASHA.
    """

    def __init__(self, rungs: tuple[int, ...], factor: int) -> None:
        """Wait at `rungs`, in epochs."""
        self._rungs, self._factor = rungs, factor
        self._seconds: dict[int, list[float]] = {}
        self._best: dict[int, list[float]] = {}
        self._waiting: dict[int, Mark] = {}
        self._passed: dict[int, int] = {}
        self._drained = False

    def report(self, mark: Mark) -> bool:
        """Hear of a trial's epoch; whether the trial trains on at once, rather than waits."""
        best = self._best.setdefault(mark.trial, [])
        if len(best) < mark.epoch:  # an epoch that is repeated says nothing new
            best.append(max(mark.merit, best[-1] if best else -math.inf))
            self._seconds.setdefault(mark.trial, []).append(mark.seconds)
        if mark.epoch not in self._rungs or self._passed.get(mark.trial, 0) >= mark.epoch:
            return True
        self._waiting[mark.trial] = mark
        return self._pass(mark) if self._is_able(mark) else False

    def fail(self, trial: int, kind: str = "") -> None:  # noqa: ARG002  # one rule, one kind
        """Hear that a trial failed: from then on it counts as the worst."""
        self._waiting.pop(trial, None)
        self._best[trial], self._seconds[trial] = [-math.inf], [0.0]

    def promote(self) -> int | None:
        """A waiting trial that may go on now: the one furthest on, and of those the best."""
        for mark in sorted(self._waiting.values(), key=lambda mark: (-mark.epoch, -mark.merit)):
            if self._is_able(mark):
                self._pass(mark)
                return mark.trial
        return None

    def go_on(self, trial: int) -> None:
        """Hear that a waiting trial goes on, as it did in a part of the search that is being recalled."""
        self._pass(self._waiting[trial])

    def drain(self) -> None:
        """No new trials come: from now on the best goes on at each rung, however few it is compared with."""
        self._drained = True

    def standing(self, trial: int) -> Standing | None:
        """Where a waiting trial stands among all after as many seconds; None for one that does not wait."""
        mark = self._waiting.get(trial)
        if mark is None:
            return None
        ranked = sorted(self._rivals(mark), reverse=True)
        able = self._places(mark, len(ranked))
        return Standing(
            rung=mark.epoch, merit=mark.merit, cutoff=ranked[max(able, 1) - 1],
            rank=self._rank(mark, ranked), of=len(ranked),
        )  # fmt: skip

    def _rivals(self, mark: Mark) -> list[float]:
        """Best merits by `mark.seconds`, of every trial that had any by then, its own included."""
        counts = {t: bisect.bisect_right(seconds, mark.seconds) for t, seconds in self._seconds.items()}
        return [self._best[trial][count - 1] for trial, count in counts.items() if count]

    def _rank(self, mark: Mark, merits: list[float]) -> int:
        own = self._best[mark.trial][bisect.bisect_right(self._seconds[mark.trial], mark.seconds) - 1]
        return 1 + sum(merit > own for merit in merits)

    def _places(self, mark: Mark, rivals: int) -> int:
        places: int = rivals // self._factor ** (self._rungs.index(mark.epoch) + 1)
        return max(places, 1) if self._drained else places

    def _is_able(self, mark: Mark) -> bool:
        merits = self._rivals(mark)
        return self._rank(mark, merits) <= self._places(mark, len(merits))

    def _pass(self, mark: Mark) -> bool:
        self._passed[mark.trial] = mark.epoch
        self._waiting.pop(mark.trial, None)
        return True
