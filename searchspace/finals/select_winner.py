"""Which finalist is the winner, and how much better it is than each of the others. Pure statistics."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field

from searchspace.finals.comparison import Comparison, compare
from trainables.config import Frozen
from trainables.metrics.scores import MetricName, score_of

ENSEMBLE = "ensemble"
"""What stands for a trial's number where several trials are one finalist."""


class NoWinnerError(RuntimeError):
    """No trial, or no finalist, came to an end; there is nothing to choose from."""


@dataclass(frozen=True)
class FinalistPredictions:
    """One finalist's fresh trainings, as what they said of each validation image."""

    members: tuple[int, ...]
    """Its trial's number; several for an ensemble."""
    search_score: float | None
    """Score in the search; None for an ensemble."""
    full_length: bool
    """Whether that score is one after the full length."""
    probabilities: dict[int, NDArray[np.float32]]
    """Class probabilities (images, classes), by the index of the seed; those seeds that came to an end."""
    lost: int
    """Seeds that did not."""
    seconds: float
    """Seconds of all its trainings."""


class Finalist(Frozen):
    """A finalist and its result."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)

    members: tuple[int, ...]
    """Its trial's number; several for an ensemble."""
    search_score: float | None
    """Score in the search; None for an ensemble."""
    full_length: bool
    """Whether that score is one after the full length."""
    scores: tuple[float, ...]
    """Validation score of the fresh training from each seed, higher is better."""
    val_losses: tuple[float, ...]
    """Validation cross-entropy of each, in nats."""
    lost: int
    """Seeds whose training failed."""
    seconds: float
    """Seconds of all its trainings."""
    comparison: Comparison | None = Field(None, alias="behind")
    """How much better the winner is; None for the winner."""

    @property
    def name(self) -> int | str:
        """Its trial's number, or `ensemble`."""
        return self.members[0] if len(self.members) == 1 else ENSEMBLE

    @property
    def score(self) -> float:
        """Mean score over its seeds."""
        return fmean(self.scores)

    @property
    def deviation(self) -> float | None:
        """Standard deviation of one training's score over its seeds; None for one seed."""
        return stdev(self.scores) if len(self.scores) > 1 else None

    @property
    def val_loss(self) -> float:
        """Mean cross-entropy over its seeds, in nats."""
        return fmean(self.val_losses)

    @property
    def drop(self) -> float | None:
        """Search score less re-score; None where the search stopped it early, or never scored it."""
        return None if self.search_score is None or not self.full_length else self.search_score - self.score


def make_ensemble(members: Sequence[FinalistPredictions]) -> FinalistPredictions | None:
    """The members as one: the mean of their probabilities, seed by seed; None where no seed ended for all of them."""
    seeds = set[int].intersection(*(set(member.probabilities) for member in members))
    means = {seed: np.mean([member.probabilities[seed] for member in members], axis=0) for seed in sorted(seeds)}
    if len(members) < 2 or not means:
        return None
    tried = max(len(member.probabilities) + member.lost for member in members)
    return FinalistPredictions(
        members=tuple(number for member in members for number in member.members), search_score=None, full_length=False,
        probabilities=means, lost=tried - len(means), seconds=sum(member.seconds for member in members),
    )  # fmt: skip


def select_winner(
    metric: MetricName, contenders: Sequence[FinalistPredictions], labels: NDArray[np.int64]
) -> tuple[Finalist, ...]:
    """All finalists, the winner first, the others by score, each compared with the winner.

    Highest mean score; of equal ones the lower validation loss. The winner is the best of so many, so the intervals
    hold for all their pairs together.
    """
    finalists = [_score(metric, contender, labels) for contender in contenders]
    first, *others = sorted(range(len(finalists)), key=lambda i: (-finalists[i].score, finalists[i].val_loss))
    pairs = math.comb(len(finalists), 2)
    winner = list(contenders[first].probabilities.values())
    return finalists[first], *(
        finalists[i].model_copy(
            update={"comparison": compare(metric, winner, list(contenders[i].probabilities.values()), labels, pairs)}
        )
        for i in others
    )


def _score(metric: MetricName, contender: FinalistPredictions, labels: NDArray[np.int64]) -> Finalist:
    found = contender.probabilities.values()
    return Finalist(
        members=contender.members, search_score=contender.search_score, full_length=contender.full_length,
        scores=tuple(score_of(metric, each, labels) for each in found),
        val_losses=tuple(-score_of("log_loss", each, labels) for each in found),
        lost=contender.lost, seconds=contender.seconds,
    )  # fmt: skip
