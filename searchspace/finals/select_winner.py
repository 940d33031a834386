"""Selects the winner among the finalists, and compares it with each other finalist. Pure statistics."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from searchspace.finals.comparison import Comparison, ComparisonTerms, SeedVariance, compare
from searchspace.finals.finalist import Finalist
from searchspace.finals.fold_comparison import FoldedImages, compare_folds
from searchspace.finals.race.sequential_test import error_shares, pool_seed_variance
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
    deterministic: bool = False
    """Whether no seed changes anything, as of a closed-form head: one training says all."""
    is_probe: bool = False
    """Whether it is a probe, a closed-form head that the search began with; nothing that is no better wins over it."""
    planned: int = 0
    """Trainings that it could have had in a race; 0: it had all."""
    counts: tuple[int, ...] = ()
    """How often each member of an ensemble counts; empty: all alike."""

    @property
    def tried(self) -> int:
        """Trainings that ended."""
        return len(self.probabilities) + self.lost


@dataclass(frozen=True)
class RaceDesign:
    """How often the finalists of a race may have been compared before the comparisons that are made now."""

    seeds: int = 1
    """Fresh seeds that a finalist could have, or repetitions of a cross-validation; each is a look."""
    entrants: int = 0
    """Finalists that could be compared; 0: those that are."""
    other_images: bool = True
    """Whether the finals' validation images are others than the search's."""


def select_winner(
    metric: MetricName, contenders: Sequence[FinalistPredictions], labels: NDArray[np.int64],
    folds: FoldedImages | None = None, weights: Weights = None, design: RaceDesign | None = None,
) -> tuple[Finalist, ...]:  # fmt: skip
    """All finalists, the winner first, the others by score, each compared with the winner; `folds` if there are any.

    Scores are weighted by `weights` (images,), if there are any.

    The winner has the highest mean score; of equal ones a probe is first, then the lowest validation loss. As it is the
    best of several, the intervals hold for all pairs together, and in a race of this `design` for all looks: a pair has
    the share of the look at which the one with fewer trainings was left. Without a design nothing was dropped.
    """
    finalists = [_score(metric, contender, labels, folds, weights) for contender in contenders]
    first, *others = sorted(
        range(len(finalists)),
        key=lambda i: (-finalists[i].score, not contenders[i].is_probe, finalists[i].val_loss),
    )
    shares = error_shares(design.seeds) if design else (1.0,)
    pairs = math.comb(max(len(finalists), design.entrants if design else 0), 2)
    pooled = _pool(metric, contenders, labels, weights, design) if design and not folds else None
    winner = contenders[first]

    def compared(other: FinalistPredictions) -> Comparison:
        sides = (winner, other)
        look = min([len(shares), *(side.tried for side in sides if not side.deterministic)])
        together = pairs / shares[look - 1]
        if folds:
            return compare_folds(metric, winner.probabilities, other.probabilities, labels, folds, together)
        first, second = (list(side.probabilities.values()) for side in sides)
        terms = ComparisonTerms(
            together, (winner.deterministic, other.deterministic), pooled if look < len(shares) else None
        )
        return compare(metric, first, second, labels, terms, weights)

    return finalists[first], *(finalists[i].model_copy(update={"comparison": compared(contenders[i])}) for i in others)


def _pool(
    metric: MetricName, contenders: Sequence[FinalistPredictions], labels: NDArray[np.int64], weights: Weights,
    design: RaceDesign,
) -> SeedVariance | None:  # fmt: skip
    """What finalists vary by over seeds, for those that have few; an ensemble varies less, and is not counted."""
    varying = [each for each in contenders if not each.deterministic and len(each.members) == 1]
    trainings = [list(each.probabilities.values()) for each in varying]
    search_scores = [each.search_score if each.full_length else None for each in varying]
    return pool_seed_variance(metric, trainings, search_scores, labels, weights, design.other_images)


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
        lost=contender.lost, seconds=contender.seconds, deterministic=contender.deterministic,
        planned=contender.planned, counts=contender.counts,
    )  # fmt: skip
