"""Forecasts the duration of a search and its finals, with bounds, from the cost of its trials."""

import random
from collections.abc import Sequence
from statistics import fmean, quantiles

from searchspace.engine.assignments import derive_seed
from searchspace.forecast.simulation import TrialCosts, simulate_finals, simulate_search
from searchspace.spec import SearchSpec
from trainables.config import Frozen

SIMULATIONS_PER_MODEL = 20
"""Searches simulated for each model that may turn out best."""
DURATION_UNITS = ((3600.0, "h"), (60.0, "min"))


class ForecastInputs(Frozen):
    """Inputs of a forecast beside the specification and the costs."""

    basis: str
    """Where the costs come from: `a dry run`, or the first trials of the search itself."""
    slots: int
    """Trials that run at the same time."""
    growth: float
    """Training images of the retrained winner, as a multiple of those of a trial."""
    start: float
    """Seconds from the command's start until the gangs are warm."""
    closing: float = 0.0
    """Seconds of test and export."""
    best_model: str = ""
    """The model that does best; empty where that is not known."""


class Forecast(Frozen):
    """Forecast of a search; times in seconds from the command's start."""

    basis: str
    """Where the costs come from."""
    start: float
    """Until the gangs are warm."""
    search: float
    """Until the search's end: the mean of the simulated searches."""
    search_low: float
    """10th percentile of that."""
    search_high: float
    """90th percentile of that."""
    finals: float
    """Duration of the finalists' and the winner's trainings."""
    closing: float
    """Duration of test and export."""
    epochs: float
    """Epochs of the search, all trials together."""
    checkpoints_mb: float
    """Checkpoints that the search leaves, in MB."""
    total_low: float
    """10th percentile of the whole command's duration."""
    total_high: float
    """90th percentile of the whole command's duration."""
    total_if: dict[str, float]
    """Duration of the whole command, by the model that does best."""

    @property
    def total(self) -> float:
        """Duration of the whole command."""
        return self.search + self.finals + self.closing

    def describe(self) -> str:
        """One line for the terminal of a running search."""
        return (
            f"{format_duration(self.search)} of search ({format_duration(self.search_low)} to "
            f"{format_duration(self.search_high)}), {format_duration(self.finals)} of finals, "
            f"{format_duration(self.total)} in all, from {self.basis}"
        )


def make_forecast(costs: TrialCosts, spec: SearchSpec, known: ForecastInputs) -> Forecast:
    """Simulate the search some times, for each model that may turn out best unless that is known."""
    rng = random.Random(derive_seed(spec.seed, "forecast"))  # noqa: S311  # no secret
    models = [known.best_model] if known.best_model else list(costs.by_model)
    longest = spec.time_budget or float("inf")
    taken, totals, finals = [], [], []
    for number in range(SIMULATIONS_PER_MODEL * len(models)):
        model = models[number % len(models)]
        taken.append(simulate_search(costs, spec, known.slots, model, rng).cut_off_after(longest))
        finals.append(sum(simulate_finals(costs, spec, known.slots, model, known.growth)))
        totals.append(known.start + taken[-1].seconds + finals[-1] + known.closing)
    (low, high), (total_low, total_high) = _bounds([each.seconds for each in taken]), _bounds(totals)
    return Forecast(
        basis=known.basis, start=known.start, search=known.start + fmean(each.seconds for each in taken),
        search_low=known.start + low, search_high=known.start + high, finals=fmean(finals), closing=known.closing,
        epochs=fmean(each.epochs for each in taken), checkpoints_mb=fmean(each.checkpoints_mb for each in taken),
        total_low=total_low, total_high=total_high,
        total_if={model: fmean(totals[first :: len(models)]) for first, model in enumerate(models)},
    )  # fmt: skip


def _bounds(values: Sequence[float]) -> tuple[float, float]:
    """10th and 90th percentile."""
    tenths = quantiles(values, n=10, method="inclusive")
    return tenths[0], tenths[-1]


def format_duration(seconds: float) -> str:
    """Seconds with a readable unit: `45 s`, `1.2 min`, `3.4 h`."""
    size, unit = next(((size, unit) for size, unit in DURATION_UNITS if seconds >= size), (1.0, "s"))
    return f"{seconds / size:.1f} {unit}" if size > 1 else f"{seconds:.0f} s"
