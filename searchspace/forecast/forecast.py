"""Forecasts the duration of a search and its finals, with bounds, from the cost of its trials."""

import random
from collections.abc import Sequence
from statistics import fmean, quantiles

from searchspace.engine.assignments import derive_seed
from searchspace.forecast.simulation import TrialCosts, simulate_finals, simulate_search
from searchspace.spec import SearchSpec
from trainables.config import Frozen

SIMULATIONS_PER_FAMILY = 20
"""Searches simulated for each family that may turn out best."""
DURATION_UNITS = ((3600.0, "h"), (60.0, "min"))


class ForecastInputs(Frozen):
    """Inputs of a forecast beside the specification and the costs."""

    basis: str
    """Where the costs come from: `a dry run`."""
    slots: int
    """Trials that run at the same time."""
    growth: float
    """Training images of the retrained winner, as a multiple of those of a trial."""
    start: float
    """Seconds from the command's start until the gangs are warm."""
    closing: float = 0.0
    """Seconds of test and export."""


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
    """Duration of the whole command, by the family that does best; empty where the best one is known so far."""
    trials: int | None = None
    """Trials that a limited search comes to; None where it is not limited, and does all of them."""

    @property
    def total(self) -> float:
        """Duration of the whole command."""
        return self.search + self.finals + self.closing

    def describe(self) -> str:
        """One line for the terminal of a running search."""
        if self.trials is not None:
            return f"{self.trials} trials by {format_duration(self.search)}, the end of the search, from {self.basis}"
        return (
            f"{format_duration(self.search)} of search ({format_duration(self.search_low)} to "
            f"{format_duration(self.search_high)}), {format_duration(self.finals)} of finals, "
            f"{format_duration(self.total)} in all, from {self.basis}"
        )


def make_forecast(costs: TrialCosts, spec: SearchSpec, known: ForecastInputs) -> Forecast:
    """Simulate the search some times, for each family of configurations that may turn out best."""
    rng = random.Random(derive_seed(spec.seed, "forecast"))  # noqa: S311  # no secret
    families = list(costs.by_family)
    longest = spec.time_budget or float("inf")
    taken, totals, finals = [], [], []
    for number in range(SIMULATIONS_PER_FAMILY * len(families)):
        family = families[number % len(families)]
        taken.append(simulate_search(costs, spec, known.slots, family, rng).cut_off_after(longest))
        finals.append(sum(simulate_finals(costs, spec, known.slots, family, known.growth)))
        totals.append(known.start + taken[-1].seconds + finals[-1] + known.closing)
    (low, high), (total_low, total_high) = bounds([each.seconds for each in taken]), bounds(totals)
    return Forecast(
        basis=known.basis, start=known.start, search=known.start + fmean(each.seconds for each in taken),
        search_low=known.start + low, search_high=known.start + high, finals=fmean(finals), closing=known.closing,
        epochs=fmean(each.epochs for each in taken), checkpoints_mb=fmean(each.checkpoints_mb for each in taken),
        total_low=total_low, total_high=total_high,
        total_if={family: fmean(totals[first :: len(families)]) for first, family in enumerate(families)},
    )  # fmt: skip


def bounds(values: Sequence[float]) -> tuple[float, float]:
    """10th and 90th percentile."""
    tenths = quantiles(values, n=10, method="inclusive")
    return tenths[0], tenths[-1]


def format_duration(seconds: float) -> str:
    """Seconds with a readable unit: `45 s`, `1.2 min`, `3.4 h`."""
    size, unit = next(((size, unit) for size, unit in DURATION_UNITS if seconds >= size), (1.0, "s"))
    return f"{seconds / size:.1f} {unit}" if size > 1 else f"{seconds:.0f} s"
