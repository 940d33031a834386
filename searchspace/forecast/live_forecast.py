"""The forecasts of a running search, from an earlier dry run and from its own trials, and their errors."""

import logging
import random
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import optuna

from searchspace.budget.allowance import Allowance, Phase, unlimited
from searchspace.engine.assignments import derive_seed
from searchspace.finals.baseline import is_probe
from searchspace.finals.finalist import read_finalists
from searchspace.forecast.forecast import Forecast, ForecastInputs, format_duration, make_forecast
from searchspace.forecast.known_times import ClosingTimes, read_closing_times, write_closing_times
from searchspace.forecast.probing import read_measurements
from searchspace.forecast.running_search import (
    Moment,
    forecast_rest,
    planned_shares,
    race_seconds,
    read_trials,
    recent_shares,
)
from searchspace.forecast.trial_timing import family_name
from searchspace.spaces import Task
from searchspace.spec import SearchSpec, extend_record
from searchspace.study.trial_attributes import read_config
from trainables.config import EpochReport
from trainables.workers.gang_resources import GangResources

if TYPE_CHECKING:
    from searchspace.engine.family_chooser import FamilyChooser
    from searchspace.progress.console_reporter import ConsoleReporter

logger = logging.getLogger(__name__)

FIRST_TRIALS = 3
"""Trials that have come to their first rung, or to their end, before a search is forecast from its own trials."""
SHOWN_CHANGE = 0.15
"""Change of the whole duration from which a new forecast is shown."""
CLOSING = (Phase.TEST, Phase.EXPORT, Phase.REPORT)
"""Phases after the winner's training."""


class LiveForecast:
    """Forecasts one search while it runs; a listener of the search's events."""

    def __init__(
        self,
        spec: SearchSpec,
        task: Task,
        shape: GangResources,
        study: optuna.Study,
        reporter: "ConsoleReporter",
        quiet: bool = False,
    ) -> None:
        """Forecast the search `study` of `spec` on gangs of `shape`, and print by `reporter`.

        With `quiet` there is no forecast: the rest of a resumed search does not cost what a whole search does.
        """
        self._quiet = quiet
        self._spec, self._task, self._shape, self._study, self._reporter = spec, task, shape, study, reporter
        self.allowance: Allowance = unlimited
        """What a budget leaves the search."""
        self.families: FamilyChooser | None = None
        """What chooses the family of the next trial, if anything does."""
        self.forecasts: list[Forecast] = []
        """Those that were shown."""
        self._newest: Forecast | None = None
        self._warm, self._steady_from = 0, 0.0
        self._first_step = 0.0
        self._known: set[int] = set()  # trials that came to their first rung, or to their end
        self._families: set[str] = set()
        self._due, self._seen = min(FIRST_TRIALS, -(-spec.trials // 2)), 0
        self._thread: threading.Thread | None = None
        self._ends: dict[str, float] = {}

    def forecast_from_dry_run(self) -> None:
        """Forecast from an earlier dry run of the same kind, if there was one."""
        measured = None if self._quiet else read_measurements(self._spec, self._task, self._shape)
        if measured is not None and measured.costs.by_family:
            closing = read_closing_times().total(self._task.data.test)
            known = ForecastInputs(
                basis="an earlier dry run", slots=self._shape.slots, growth=self._task.data.growth,
                start=measured.start, closing=closing,
            )  # fmt: skip
            self._show(make_forecast(measured.costs, self._spec, known))

    def on_gang_ready(self, _slot: int, _info: object) -> None:
        """Count a gang that can train; preparation ends with the first."""
        self._warm += 1
        self._steady_from = time.time()
        self._ends.setdefault(Phase.PREPARATION, self._reporter.seconds)

    def __call__(self, event: str, number: int, report: EpochReport | None) -> None:
        """Take one event of one trial; forecast when there is a new family, or twice as many trials as before."""
        if self._quiet or report is None or event != "epoch":
            return
        self._first_step = self._first_step or self._reporter.seconds - report.seconds
        if number not in self._known and (report.epoch >= self._spec.grace_epochs or report.status == "complete"):
            self._known.add(number)
            self._families.add(family_name(read_config(self._study.get_trials(deepcopy=False)[number])))
        if self._is_due() and (self._thread is None or not self._thread.is_alive()):
            self._due, self._seen = max(self._due, 2 * len(self._known)), len(self._families)
            # Both are asked for here, as the engine's thread changes what they are made of.
            known = (self._seconds_left(), self._planned_shares())
            self._thread = threading.Thread(target=self._forecast_from_trials, args=known, daemon=True)
            self._thread.start()

    def _planned_shares(self) -> dict[str, float]:
        """Families of the next trials, where they are chosen by what they earn; else empty."""
        if self.families is None or not self.families.by_earning:
            return {}
        return planned_shares(self.families.outlooks, self._spec.trials - len(self._known))

    def _is_due(self) -> bool:
        """Whether there is news; the first heads that are solved for come all before the first forecast."""
        enough = len(self._known) >= min(self._due, FIRST_TRIALS)
        news = len(self._known) >= self._due or len(self._families) > self._seen
        return enough and news and (self._seen > 0 or not self._has_pending_probes())

    def _has_pending_probes(self) -> bool:
        trials = self._study.get_trials(deepcopy=False)
        return any(is_probe(t) and not t.state.is_finished() and t.number not in self._known for t in trials)

    def _forecast_from_trials(self, seconds_left: float, shares: Mapping[str, float]) -> None:
        steady = self._steady_from if self._warm >= self._shape.slots else 0.0
        recorded = self._study.get_trials(deepcopy=False)
        trials = read_trials(recorded, self._task.data, steady)
        if not trials:
            return  # all of them have failed meanwhile
        best = max(trials, key=lambda trial: trial.rank)
        moment = Moment(
            now=self._reporter.seconds, start=self._first_step, slots=self._shape.slots,
            weights=shares or recent_shares(trials),
            closing=read_closing_times(best.known.timing.config.model), seconds_left=seconds_left,
            finals=race_seconds(self._spec, recorded, self._task.data, self._shape.slots),
        )  # fmt: skip
        rng = random.Random(derive_seed(self._spec.seed, "forecast", len(trials)))  # noqa: S311  # no secret
        found = forecast_rest(trials, self._spec, self._task.data, moment, rng)
        self._newest = found
        if not self.forecasts or abs(found.total / self.forecasts[-1].total - 1) >= SHOWN_CHANGE:
            self._show(found)

    def _seconds_left(self) -> float:
        """Seconds that the search may still take, by its time budget or that of the whole command."""
        spent = self._reporter.seconds - self._ends.get(Phase.PREPARATION, self._reporter.seconds)
        longest = self._spec.time_budget - spent if self._spec.time_budget else float("inf")
        return max(0.0, min(longest, self.allowance(Phase.SEARCH)))

    def _show(self, found: Forecast) -> None:
        self.forecasts.append(found)
        self._newest = found
        logger.info(f"forecast: about {found.describe()}")

    def end_phase(self, phase: str) -> None:
        """Record the end of a phase, by its name; `total` is the end of everything."""
        self._ends[phase] = self._reporter.seconds

    def remaining_seconds(self) -> float | None:
        """Seconds until the command ends by the newest forecast; negative where it is late. None without a forecast."""
        return self._newest.total - self._reporter.seconds if self._newest else None

    def close(self) -> list[str]:
        """Record the forecasts and the real times, once the winner is exported; returns a line on each forecast."""
        self.end_phase("total")
        if self._thread is not None:
            self._thread.join(timeout=60)
        facts: dict[str, Any] = {"took": self._ends, "forecasts": [found.model_dump() for found in self.forecasts]}
        extend_record(self._spec.folder, facts)
        return [format_forecast_error(found, self._ends["search"], self._ends["total"]) for found in self.forecasts]

    def end(self, shown: bool) -> None:
        """Keep the seconds of test, export and report for later searches, and log those of all phases if `shown`.

        A budget has a line of its own, beside what was asked.
        """
        self.end_phase(Phase.REPORT)
        extend_record(self._spec.folder, {"took": self._ends})
        spent = phase_seconds(self._ends)
        if spent.keys() >= set(CLOSING):
            self._keep_closing_times(spent)
        if shown:
            logger.info("phases: " + " · ".join(f"{name} {format_duration(s)}" for name, s in spent.items()))

    def _keep_closing_times(self, last: Mapping[str, float]) -> None:
        winner = read_finalists(self._study)[0].members[0]
        config = read_config(self._study.get_trials(deepcopy=False)[winner])
        rate = last[Phase.TEST] / self._task.data.test
        found = ClosingTimes(test_image_seconds=rate, export=last[Phase.EXPORT], report=last[Phase.REPORT])
        write_closing_times(config.model, found)


def phase_seconds(ends: Mapping[str, float]) -> dict[str, float]:
    """Seconds of each phase that ended, in their order, from the seconds of the command at which each ended.

    Phases that overlap are counted from the end of the one before.
    """
    spent, before = {}, 0.0
    for phase in Phase:
        if phase in ends:
            spent[phase.value], before = max(0.0, ends[phase] - before), max(before, ends[phase])
    return spent


def format_forecast_error(found: Forecast, search: float, total: float) -> str:
    """One line: a forecast, the real times in seconds, and the error."""
    return (
        f"forecast from {found.basis}: search {format_duration(found.search)}, took {format_duration(search)} "
        f"({found.search / search - 1:+.0%}); in all {format_duration(found.total)}, took {format_duration(total)} "
        f"({found.total / total - 1:+.0%})"
    )
