"""Costs of trials as a running search measures them: by kind until the next report, and of whole trainings."""

import heapq
from collections import defaultdict
from statistics import median

from searchspace.budget.cost_estimates import TrialSeconds
from trainables.config import EpochReport


class ReportTimes:
    """Seconds from a trial's start to its first report, by the kind of its network."""

    def __init__(self) -> None:
        """Begin with nothing known."""
        self._seconds: dict[str, list[float]] = defaultdict(list)

    def add(self, kind: str, report: EpochReport) -> None:
        """Add a trial's first report."""
        self._seconds[kind].append(report.total_seconds)

    def expected(self, kind: str) -> float:
        """The median of those known; 0 where none is, so that every kind is tried once."""
        known = self._seconds.get(kind)
        return median(known) if known else 0.0


class TrainingCosts:
    """Whole trainings' seconds of the trials that would be finalists now, from the newest report of each trial."""

    def __init__(self, max_epochs: int, finalists: int) -> None:
        """Follow a search of trials of `max_epochs`, the best `finalists` of which are trained again."""
        self._max_epochs, self._count = max_epochs, finalists
        self._newest: dict[int, EpochReport] = {}
        self._setup: dict[int, tuple[float, float]] = {}
        self._finalists: list[int] | None = None

    def add(self, number: int, report: EpochReport) -> None:
        """Add a report of trial `number`."""
        if report.status == "failed":
            return
        self._newest[number], self._finalists = report, None
        if report.setup_seconds:
            self._setup[number] = report.setup_seconds, report.shared_seconds

    @property
    def best(self) -> int | None:
        """Number of the best trial so far."""
        return next(iter(self._chosen()), None)

    def seconds(self) -> TrialSeconds:
        """What whole trainings of the finalists and of trial 0 cost."""
        chosen = self._chosen()
        others = 0 not in chosen and 0 in self._newest
        return TrialSeconds(tuple(map(self._whole, chosen)), self._whole(0) if others else 0.0)

    def _whole(self, number: int) -> float:
        """Set-up, without what other trials share, and as many epochs as at full length."""
        report = self._newest[number]
        setup, shared = self._setup.get(number, (0.0, 0.0))
        training = max(0.0, report.total_seconds - setup)
        return max(0.0, setup - shared) + training * self._max_epochs / max(1, report.epoch)

    def _chosen(self) -> list[int]:
        """The trials that would be finalists now, the best first."""

        def rank(number: int) -> tuple[bool, int, float]:
            report = self._newest[number]
            return report.status == "complete", report.epoch, report.objective_value

        if self._finalists is None:
            self._finalists = heapq.nlargest(self._count, self._newest, key=rank)
        return self._finalists
