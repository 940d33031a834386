"""Selects the winner among the finalists, and compares it with each other finalist. Pure statistics."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from searchspace.finals.comparison import Comparison, compare
from searchspace.finals.finalist import Finalist
from searchspace.finals.fold_comparison import FoldedImages, compare_folds
from trainables.metrics.class_counts import Weights
from trainables.metrics.metric_registry import MetricName, compute_score


@dataclass(frozen=True)
class FinalistPredictions:
    """The predictions of one finalist's fresh trainings on the validation images."""

    members: tuple[int, ...]
    """Number of its trial; several for an ensemble."""
    search_score: float | None
    """Score in the search; None for an ensemble."""
    full_length: bool
    """Whether that score is of the full length."""
    probabilities: dict[int, NDArray[np.float32]]
    """Class probabilities (images, classes), by seed index, of the trainings that completed; with folds, by repetition,
    each image's from the training that it was held out of."""
    lost: int
    """Trainings that failed."""
    seconds: float
    """Duration of all its trainings together."""


def make_ensemble(members: Sequence[FinalistPredictions]) -> FinalistPredictions | None:
    """The mean probabilities of `members`, seed by seed; None where no seed completed for all of them."""
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
    metric: MetricName, contenders: Sequence[FinalistPredictions], labels: NDArray[np.int64],
    folds: FoldedImages | None = None, weights: Weights = None,
) -> tuple[Finalist, ...]:  # fmt: skip
    """All finalists, the winner first, the others by score, each compared with the winner; `folds` if there are any.

    Scores are weighted by `weights` (images,), if there are any.

    The winner has the highest mean score; of equal ones, the lowest validation loss. As it is the best of several, the
    intervals hold for all pairs together.
    """
    finalists = [_score(metric, contender, labels, folds, weights) for contender in contenders]
    first, *others = sorted(range(len(finalists)), key=lambda i: (-finalists[i].score, finalists[i].val_loss))
    pairs = math.comb(len(finalists), 2)
    winner = contenders[first].probabilities

    def compared(other: Mapping[int, NDArray[np.float32]]) -> Comparison:
        if folds:
            return compare_folds(metric, winner, other, labels, folds, pairs)
        return compare(metric, list(winner.values()), list(other.values()), labels, pairs, weights)

    return finalists[first], *(
        finalists[i].model_copy(update={"comparison": compared(contenders[i].probabilities)}) for i in others
    )


def _score(
    metric: MetricName, contender: FinalistPredictions, labels: NDArray[np.int64], folds: FoldedImages | None,
    weights: Weights,
) -> Finalist:  # fmt: skip
    found = contender.probabilities.values()
    return Finalist(
        members=contender.members, search_score=contender.search_score, full_length=contender.full_length,
        scores=tuple(compute_score(metric, each, labels, weights) for each in found),
        val_losses=tuple(-compute_score("log_loss", each, labels, weights) for each in found),
        fold_scores=folds.fold_scores(metric, contender.probabilities, labels) if folds else (),
        lost=contender.lost, seconds=contender.seconds,
    )  # fmt: skip
