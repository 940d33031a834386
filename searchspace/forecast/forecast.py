"""The forecast: how long a search and its proof will take, and between what bounds, from what its trials cost."""

import random
import statistics

from searchspace.forecast.imagine import Costs, imagine_finals, imagine_search
from searchspace.seeds import derive_seed
from searchspace.spec import SearchSpec
from trainables.config import Frozen

IMAGINED = 30
"""Searches imagined for one forecast."""
UNITS = ((3600.0, "h"), (60.0, "min"))


class Known(Frozen):
    """What a forecast needs to know beside the specification and the costs."""

    basis: str
    """Where the costs come from: `a dry run`, or the first trials of the search itself."""
    slots: int
    """Trials at a time."""
    growth: float
    """Images that the winner is retrained on, as a multiple of those that trials are."""
    start: float
    """Seconds from the command's start until the gangs are warm."""
    closing: float = 0.0
    """Seconds of test and export."""
    favourite: str = ""
    """The model that does best, where that is known."""


class Forecast(Frozen):
    """What a search will take, all in seconds from the command's start."""

    basis: str
    """Where the costs come from."""
    start: float
    """Until the gangs are warm."""
    search: float
    """Until the search's end: the mean of the searches imagined."""
    search_low: float
    """One imagined search in ten was shorter."""
    search_high: float
    """One imagined search in ten was longer."""
    finals: float
    """Finalists' and winner's trainings."""
    closing: float
    """Test and export."""
    epochs: float
    """Epochs of the search, all trials together."""
    checkpoints_mb: float
    """Checkpoints that the search leaves, in MB."""

    @property
    def total(self) -> float:
        """The whole command."""
        return self.search + self.finals + self.closing

    @property
    def total_low(self) -> float:
        """The whole command, where the search is short."""
        return self.total - self.search + self.search_low

    @property
    def total_high(self) -> float:
        """The whole command, where the search is long."""
        return self.total - self.search + self.search_high

    def in_words(self) -> str:
        """One line of a running search."""
        return (
            f"{in_units(self.search)} of search ({in_units(self.search_low)} to {in_units(self.search_high)}), "
            f"{in_units(self.finals)} of finals, {in_units(self.total)} in all, from {self.basis}"
        )


def forecast(costs: Costs, spec: SearchSpec, known: Known) -> Forecast:
    """Imagine the search some times; whose model is best is as open as it is, unless that is known."""
    rng = random.Random(derive_seed(spec.seed, "forecast"))  # noqa: S311  # no secret
    models = [known.favourite] if known.favourite else list(costs.by_model)
    longest = spec.time_budget or float("inf")
    taken, finals = [], []
    for number in range(IMAGINED):
        model = models[number % len(models)]
        taken.append(imagine_search(costs, spec, known.slots, model, rng).within(longest))
        finals.append(sum(imagine_finals(costs, spec, known.slots, model, known.growth)))
    bounds = statistics.quantiles((each.seconds for each in taken), n=10, method="inclusive")
    return Forecast(
        basis=known.basis, start=known.start, search=known.start + statistics.fmean(each.seconds for each in taken),
        search_low=known.start + bounds[0], search_high=known.start + bounds[-1], finals=statistics.fmean(finals),
        closing=known.closing, epochs=statistics.fmean(each.epochs for each in taken),
        checkpoints_mb=statistics.fmean(each.checkpoints_mb for each in taken),
    )  # fmt: skip


def in_units(seconds: float) -> str:
    """Seconds as a person says them: `45 s`, `1.2 min`, `3.4 h`."""
    size, unit = next(((size, unit) for size, unit in UNITS if seconds >= size), (1.0, "s"))
    return f"{seconds / size:.1f} {unit}" if size > 1 else f"{seconds:.0f} s"
