"""The forecasts of a running search, from an earlier dry run and from its own first trials, and their errors."""

import logging
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import optuna

from searchspace.budget.allowance import Phase
from searchspace.finals.finalist import read_finalists
from searchspace.forecast.forecast import Forecast, ForecastInputs, format_duration, make_forecast
from searchspace.forecast.known_times import (
    ClosingTimes,
    read_closing_times,
    read_measurements,
    write_closing_times,
)
from searchspace.forecast.probing import Measurements
from searchspace.forecast.simulation import TrialCosts
from searchspace.forecast.trial_timing import make_timing
from searchspace.sampling.samplers import STARTUP_TRIALS
from searchspace.spaces import Task
from searchspace.spec import SearchSpec, extend_record
from searchspace.study.trial_attributes import read_config
from trainables.config import EpochReport, TrialConfig
from trainables.workers.gang_resources import GangResources

if TYPE_CHECKING:
    from searchspace.progress.console_reporter import ConsoleReporter

logger = logging.getLogger(__name__)

BEST_MODEL_TRIALS = 8
"""Trials of the best model whose cost must be known before a search is forecast from its own trials."""
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
        self.forecasts: list[Forecast] = []
        self._curves: dict[int, list[EpochReport]] = {}
        self._warm = 0
        self._slowed: set[int] = set()  # trials that ran while a gang was starting on the same cores
        self._first_step = 0.0
        self._due = min(STARTUP_TRIALS, -(-spec.trials // 2))
        self._thread: threading.Thread | None = None
        self._ends: dict[str, float] = {}

    def forecast_from_dry_run(self) -> None:
        """Forecast from an earlier dry run of the same kind, if there was one."""
        measured = None if self._quiet else read_measurements(self._spec, self._task, self._shape)
        if measured is not None and measured.costs.by_model:
            self._report(measured.costs, self._known("an earlier dry run", measured.start))

    def on_gang_ready(self, _slot: int, _info: object) -> None:
        """Count a gang that can train; preparation ends with the first."""
        self._warm += 1
        self._ends.setdefault(Phase.PREPARATION, self._reporter.seconds)

    def __call__(self, event: str, number: int, report: EpochReport | None) -> None:
        """Take one event of one trial; forecast when enough trials have reached their first rung."""
        if self._quiet or report is None or event != "epoch" or self._thread is not None:
            return
        self._first_step = self._first_step or self._reporter.seconds - report.seconds
        self._curves.setdefault(number, []).append(report)
        if self._warm < self._shape.slots:
            self._slowed.add(number)
        known = [n for n, curve in self._curves.items() if len(curve) >= self._spec.grace_epochs]
        if len(set(known) - self._slowed) >= self._due and self._is_enough(known):
            self._thread = threading.Thread(target=self._forecast_from_trials, args=(known,), daemon=True)
            self._thread.start()

    def _is_enough(self, numbers: Sequence[int]) -> bool:
        """Whether enough trials of the best model are known, or half of the search is over."""
        models = [config.model for config in self._configs(numbers).values()]
        return models.count(self._best_model(numbers)) >= BEST_MODEL_TRIALS or 2 * len(models) >= self._spec.trials

    def _best_model(self, numbers: Sequence[int]) -> str:
        best = max(numbers, key=lambda n: self._curves[n][self._spec.grace_epochs - 1].objective_value)
        return self._configs([best])[best].model

    def _configs(self, numbers: Sequence[int]) -> dict[int, TrialConfig]:
        return {t.number: read_config(t) for t in self._study.get_trials(deepcopy=False) if t.number in numbers}

    def _forecast_from_trials(self, numbers: Sequence[int]) -> None:
        configs = self._configs(numbers)
        models = {n: config.model for n, config in configs.items()}
        undisturbed = {models[n] for n in numbers if n not in self._slowed}
        chosen = [n for n in numbers if n not in self._slowed or models[n] not in undisturbed]
        timings = tuple(make_timing(configs[n], self._curves[n], self._task.data) for n in chosen)
        shares = {model: list(models.values()).count(model) / len(models) for model in models.values()}
        costs = Measurements(timings=timings, shares=shares, start=self._first_step).costs
        basis = f"the first {len(numbers)} trials"
        self._report(costs, self._known(basis, self._first_step, self._best_model(numbers)))

    def _known(self, basis: str, start: float, best_model: str = "") -> ForecastInputs:
        return ForecastInputs(
            basis=basis, slots=self._shape.slots, growth=self._task.data.growth, start=start,
            closing=read_closing_times(best_model).total(self._task.data.test), best_model=best_model,
        )  # fmt: skip

    def _report(self, costs: TrialCosts, known: ForecastInputs) -> None:
        self.forecasts.append(make_forecast(costs, self._spec, known))
        logger.info(f"forecast: about {self.forecasts[-1].describe()}")

    def end_phase(self, phase: str) -> None:
        """Record the end of a phase, by its name; `total` is the end of everything."""
        self._ends[phase] = self._reporter.seconds

    def remaining_seconds(self) -> float | None:
        """Seconds until the command ends by the newest forecast; negative where it is late. None without a forecast."""
        return self.forecasts[-1].total - self._reporter.seconds if self.forecasts else None

    def close(self) -> list[str]:
        """Record the forecasts and the real times, once the winner is exported; returns a line on each forecast."""
        self.end_phase("total")
        if self._thread is not None:
            self._thread.join(timeout=60)
        facts: dict[str, Any] = {"took": self._ends, "forecasts": [found.model_dump() for found in self.forecasts]}
        extend_record(self._spec.folder, facts)
        return [format_forecast_error(found, self._ends["search"], self._ends["total"]) for found in self.forecasts]

    def end(self) -> str:
        """Keep the seconds of test, export and report for later searches; returns a line on all phases."""
        self.end_phase(Phase.REPORT)
        extend_record(self._spec.folder, {"took": self._ends})
        spent = phase_seconds(self._ends)
        if spent.keys() >= set(CLOSING):
            self._keep_closing_times(spent)
        return "phases: " + " · ".join(f"{name} {format_duration(seconds)}" for name, seconds in spent.items())

    def _keep_closing_times(self, last: Mapping[str, float]) -> None:
        winner = read_finalists(self._study)[0].members[0]
        rate = last[Phase.TEST] / self._task.data.test
        found = ClosingTimes(test_image_seconds=rate, export=last[Phase.EXPORT], report=last[Phase.REPORT])
        write_closing_times(self._configs([winner])[winner].model, found)


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
