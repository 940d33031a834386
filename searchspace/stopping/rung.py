"""Rungs: the decision points of early stopping, and their records of the trials that reached them."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pydantic import ConfigDict, Field

from trainables.config import EpochReport, Frozen

Order = Callable[[Mapping[int, float]], list[int]]
"""From values by trial to trials, the best first."""


def rungs(grace_epochs: int, reduction_factor: int, max_epochs: int) -> tuple[int, ...]:
    """Epochs at which trials are compared, ascending; the full length is no rung."""
    found, rung = [], grace_epochs
    while rung < max_epochs:
        found.append(rung)
        rung *= reduction_factor
    return tuple(found)


class Observation(Frozen):
    """One epoch of one trial, as rules receive it."""

    trial: int
    """Its number."""
    epoch: int
    """Epochs trained."""
    value: float
    """Objective value: the score, with the loss separating equal scores. Higher is better."""
    seconds: float = 0.0
    """Training seconds of this trial so far."""
    kind: str = ""
    """Kind of its network: trials of different kinds are not compared."""


def observe(trial: int, kind: str, report: EpochReport) -> Observation:
    """The observation of a report."""
    return Observation(
        trial=trial, epoch=report.epoch, value=report.objective_value, seconds=report.total_seconds, kind=kind
    )


class RungStanding(Frozen):
    """The standing of a paused trial at its rung."""

    model_config = ConfigDict(validate_by_name=True, serialize_by_alias=True)

    rung: int
    """Epochs."""
    value: float = Field(alias="merit")
    """Its objective value there; studies keep it as `merit`."""
    cutoff: float
    """Objective value of the worst trial that passed there, or of the best where none did."""
    rank: int
    """Its place among those it was compared with, from 1."""
    of: int
    """How many it was compared with, itself included."""

    def describe(self) -> str:
        """For boards: where, and by what, it was stopped."""
        return f"stopped at epoch {self.rung}: rank {self.rank} of {self.of}, cut-off {self.cutoff:.4f}"


def by_value(values: Mapping[int, float]) -> list[int]:
    """The highest value first, equals in the order they came."""
    return sorted(values, key=lambda trial: -values[trial])


@dataclass
class Rung:
    """One decision point."""

    epoch: int
    """Where it is."""
    values: dict[int, float] = field(default_factory=dict)
    """Objective value there by trial, in the order they came; minus infinity for those that failed on the way."""
    passed: set[int] = field(default_factory=set)
    """Trials that were trained on from here."""

    def best(self, count: int, order: Order) -> list[int]:
        """The best `count` of those that did not fail."""
        return [trial for trial in order(self.values)[:count] if self.values[trial] > -math.inf]

    def standing(self, trial: int, order: Order) -> RungStanding:
        """Where `trial` stands among those that came here."""
        ranking = order(self.values)
        cutoff = min((self.values[t] for t in self.passed), default=self.values[ranking[0]])
        rank = ranking.index(trial) + 1
        return RungStanding(rung=self.epoch, value=self.values[trial], cutoff=cutoff, rank=rank, of=len(ranking))
