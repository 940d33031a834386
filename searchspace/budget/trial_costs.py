"""Costs of trials as a running search measures them: by kind until the next report, and of whole trainings."""

import heapq
import math
from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean, median

from searchspace.budget.cost_estimates import TrialSeconds
from trainables.config import EpochReport


class ReportTimes:
    """Seconds from a trial's start to its first report, and to its end, by the kind of its network."""

    def __init__(self) -> None:
        """Begin with nothing known."""
        self._seconds: dict[str, list[tuple[float, float]]] = defaultdict(list)

    def add(self, kind: str, report: EpochReport, max_epochs: int) -> None:
        """Add a trial's first report; work that later trials save does not count."""
        first = report.total_seconds - report.shared_seconds
        self._seconds[kind].append((first, first + report.seconds * (max_epochs - report.epoch)))

    def expected(self, kind: str) -> tuple[float, float]:
        """The medians of those known; 0 where none is, so that every kind is tried once."""
        known = self._seconds.get(kind)
        return (median(first for first, _ in known), median(whole for _, whole in known)) if known else (0.0, 0.0)


class TrainingCosts:
    """Whole trainings' seconds of the trials that would be finalists now, from the newest report of each trial."""

    def __init__(self, max_epochs: int, finalists: int, seeds: int = 1, folds: int = 1) -> None:
        """Follow a search of trials of `max_epochs`, the best `finalists` of which are trained again.

        Each is, from each of so many fresh `seeds`, on each of so many `folds`.
        """
        self._max_epochs, self._count, self._seeds, self._folds = max_epochs, finalists, seeds, folds
        self._newest: dict[int, EpochReport] = {}
        self._first: dict[int, EpochReport] = {}
        self._finalists: tuple[float, list[int]] | None = None
        self._winner: Sequence[int] = ()

    def add(self, number: int, report: EpochReport) -> None:
        """Add a report of trial `number`."""
        if report.status == "failed":
            return
        self._newest[number], self._finalists = report, None
        self._first.setdefault(number, report)

    def set_winner(self, members: Sequence[int]) -> None:
        """Hear which trial has won, or which ones together."""
        self._winner = [number for number in members if number in self._newest]

    @property
    def is_known(self) -> bool:
        """Whether any trial has reported."""
        return bool(self._newest)

    def has_complete(self, limit: float = math.inf) -> bool:
        """Whether a trial is complete whose training takes at most `limit` seconds."""
        best = self.best(limit)
        return best is not None and self._newest[best].status == "complete"

    def best(self, limit: float = math.inf) -> int | None:
        """Number of the best trial so far whose training takes at most `limit` seconds; None where there is none."""
        return next(iter(self._chosen(limit)), None)

    def is_within(self, number: int, limit: float) -> bool:
        """Whether a trial is trained in at most `limit` seconds; where none is, whether it is the shortest one."""
        if number not in self._newest:
            return False
        return self._whole(number) <= limit or (self.best(limit) is None and number == self._shortest())

    def seconds(self, limit: float = math.inf) -> TrialSeconds | None:
        """What whole trainings of the winner and of all finalists cost; None before the first report.

        Trials that take more than `limit` seconds cannot win; where all do, the shortest is taken.
        """
        if not self._newest:
            return None
        chosen = self._chosen(limit) or [self._shortest()]
        reference = 0 in self._newest and 0 not in chosen and self._whole(0) <= limit
        field = [*chosen, 0] if reference else chosen  # the finals train trial 0, too
        whole = {number: self._whole(number) for number in field}
        winner = sum(map(self._whole, self._winner)) or max(whole[chosen[0]], fmean(whole[n] for n in chosen))
        finals = self._folds * sum(seconds * self._repeats(number) for number, seconds in whole.items())
        return TrialSeconds(winner, finals, max(whole.values()))

    def _whole(self, number: int) -> float:
        """Set-up, without what other trials share, and as many epochs as at full length."""
        first, newest = self._first[number], self._newest[number]
        training = max(0.0, newest.total_seconds - first.setup_seconds)
        return max(0.0, first.setup_seconds - first.shared_seconds) + training * self._max_epochs / newest.epoch

    def _repeats(self, number: int) -> int:
        """Trainings on the same images; one where no seed changes anything, as of a head that is solved for at once."""
        return 1 if self._first[number].epoch == self._max_epochs > 1 else self._seeds

    def _shortest(self) -> int:
        return min(self._newest, key=self._whole)

    def _chosen(self, limit: float) -> list[int]:
        """The trials that would be finalists now, the best first."""

        def rank(number: int) -> tuple[bool, int, float]:
            report = self._newest[number]
            return report.status == "complete", report.epoch, report.objective_value

        if self._finalists is None or self._finalists[0] != limit:
            able = [number for number in self._newest if self._whole(number) <= limit]
            self._finalists = limit, heapq.nlargest(self._count, able, key=rank)
        return self._finalists[1]
