"""Rungs: the decision points of early stopping, and what each knows of the trials that came there."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from trainables.config import EpochReport, Frozen

Order = Callable[[Mapping[int, float]], list[int]]
"""From merits by trial to trials, the best first."""


def rungs(grace_epochs: int, reduction_factor: int, max_epochs: int) -> tuple[int, ...]:
    """Epochs at which trials are compared, ascending; the full length is no rung."""
    found, rung = [], grace_epochs
    while rung < max_epochs:
        found.append(rung)
        rung *= reduction_factor
    return tuple(found)


class Mark(Frozen):
    """What a rule hears of one epoch of one trial."""

    trial: int
    """Its number."""
    epoch: int
    """Epochs trained."""
    merit: float
    """Score, with the loss telling equals apart."""
    seconds: float = 0.0
    """Training seconds of this trial so far."""
    kind: str = ""
    """Kind of its network: trials of different kinds are not compared."""


def mark_of(trial: int, kind: str, report: EpochReport) -> Mark:
    """What a rule hears of a report."""
    return Mark(trial=trial, epoch=report.epoch, merit=report.merit, seconds=report.total_seconds, kind=kind)


class Standing(Frozen):
    """Where a trial stood at the rung that it did not pass."""

    rung: int
    """Epochs."""
    merit: float
    """What it had there: its score, with the loss telling equals apart."""
    cutoff: float
    """Merit of the last that passed there, or of the best where none did."""
    rank: int
    """Its place among those it was compared with, from 1."""
    of: int
    """How many it was compared with, itself included."""

    def in_words(self) -> str:
        """For boards: where, and by what, it was held back."""
        return f"held back at epoch {self.rung}: rank {self.rank} of {self.of}, cut-off {self.cutoff:.4f}"


def by_merit(merits: Mapping[int, float]) -> list[int]:
    """The highest merit first, equals in the order they came."""
    return sorted(merits, key=lambda trial: -merits[trial])


@dataclass
class Rung:
    """One decision point."""

    epoch: int
    """Where it is."""
    merits: dict[int, float] = field(default_factory=dict)
    """Merit there, by trial, in the order they came; minus infinity for those that failed on the way."""
    passed: set[int] = field(default_factory=set)
    """Trials that went on."""

    def best(self, count: int, order: Order) -> list[int]:
        """The best `count` of those that did not fail."""
        return [trial for trial in order(self.merits)[:count] if self.merits[trial] > -math.inf]

    def standing(self, trial: int, order: Order) -> Standing:
        """Where `trial` stands among those that came here."""
        ranking = order(self.merits)
        cutoff = min((self.merits[t] for t in self.passed), default=self.merits[ranking[0]])
        rank = ranking.index(trial) + 1
        return Standing(rung=self.epoch, merit=self.merits[trial], cutoff=cutoff, rank=rank, of=len(ranking))
