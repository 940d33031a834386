"""The verdict: which finalist is the winner, and which of the others cannot be told apart from it. Pure statistics."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

import numpy as np
from numpy.typing import NDArray

from trainables.bootstrap import Guesses, draw_images, resampled_scores
from trainables.config import Frozen
from trainables.scores import MetricName, score_of

RESAMPLES = 2_000
"""Of the validation images; their scatter is then known to some 2 %."""
ENSEMBLE = "ensemble"
"""What stands for a trial's number where several trials are one finalist."""


class NoWinnerError(RuntimeError):
    """No trial, or no finalist, came to an end; there is nothing to choose from."""


@dataclass(frozen=True)
class Contender:
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


class Comparison(Frozen):
    """How far one finalist is behind the winner."""

    difference: float
    """The winner's mean score less this one's."""
    low: float | None
    """Lower end of its 95 % interval, over validation images and seeds; None where one seed each leaves it unknown."""
    high: float | None
    """Upper end."""

    @property
    def told_apart(self) -> bool:
        """Whether the winner's lead is more than chance would give."""
        return self.low is not None and self.low > 0


class Finalist(Frozen):
    """A finalist and what became of it."""

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
    behind: Comparison | None = None
    """How far it is behind the winner; None for the winner."""

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


def join(members: Sequence[Contender]) -> Contender | None:
    """The members as one: the mean of their probabilities, seed by seed; None where no seed ended for all of them."""
    seeds = set[int].intersection(*(set(member.probabilities) for member in members))
    means = {seed: np.mean([member.probabilities[seed] for member in members], axis=0) for seed in sorted(seeds)}
    if len(members) < 2 or not means:
        return None
    tried = max(len(member.probabilities) + member.lost for member in members)
    return Contender(
        members=tuple(number for member in members for number in member.members), search_score=None, full_length=False,
        probabilities=means, lost=tried - len(means), seconds=sum(member.seconds for member in members),
    )  # fmt: skip


def judge(
    metric: MetricName, contenders: Sequence[Contender], labels: NDArray[np.int64], seed: int
) -> tuple[Finalist, ...]:
    """All finalists, the winner first, the others by score, each compared with the winner; `seed` draws the bootstrap.

    Highest mean score; of equal ones the lower validation loss.
    """
    finalists = [_score(metric, contender, labels) for contender in contenders]
    order = sorted(range(len(finalists)), key=lambda i: (-finalists[i].score, finalists[i].val_loss))
    scatter = _scatter(metric, [contenders[i] for i in order], labels, seed)
    ranked = [finalists[i] for i in order]
    others = (
        other.model_copy(update={"behind": compare(ranked[0], other, images, len(ranked))})
        for other, images in zip(ranked[1:], scatter[1:], strict=True)
    )
    return ranked[0], *others


def _score(metric: MetricName, contender: Contender, labels: NDArray[np.int64]) -> Finalist:
    found = contender.probabilities.values()
    return Finalist(
        members=contender.members, search_score=contender.search_score, full_length=contender.full_length,
        scores=tuple(score_of(metric, each, labels) for each in found),
        val_losses=tuple(-score_of("log_loss", each, labels) for each in found),
        lost=contender.lost, seconds=contender.seconds,
    )  # fmt: skip


def _scatter(metric: MetricName, ranked: Sequence[Contender], labels: NDArray[np.int64], seed: int) -> list[float]:
    """Variance of each one's difference from the first, over images drawn with replacement, the same for all."""
    guesses = [[Guesses.of(each, labels) for each in contender.probabilities.values()] for contender in ranked]
    means = np.concatenate([
        np.array([np.mean([resampled_scores(metric, g, draws) for g in each], axis=0) for each in guesses])
        for draws in draw_images(len(labels), RESAMPLES, seed)
    ], axis=1)  # fmt: skip
    return [float(variance) for variance in (means[0] - means).var(axis=1, ddof=1)]


def compare(winner: Finalist, other: Finalist, images: float, among: int) -> Comparison:
    """The winner's lead in mean score, and the 95 % interval that chance in images and seeds leaves it.

    Both count (arXiv:2103.03098): `images` is the lead's variance by a paired bootstrap, the seeds' is a training's
    variance, pooled over these two; Student's t has the degrees of freedom that Welch and Satterthwaite give the sum.
    As the winner is the best `among` so many, the interval holds for all their pairs together (Bonferroni). What seeds
    do to single images is in both terms: rather too wide than too narrow. Without a second seed there is none.
    `tests/benchmarks/bench_verdict.py` shows why seeds are not just drawn again with the images.
    """
    from scipy.stats import t

    lead = winner.score - other.score
    spread, freedom = pooled_variance([winner.scores, other.scores])
    if not freedom:
        return Comparison(difference=lead, low=None, high=None)
    seeds = spread * (1 / len(winner.scores) + 1 / len(other.scores))
    degrees = freedom * ((images + seeds) / seeds) ** 2 if seeds else math.inf
    reach = float(t.ppf(1 - 0.025 / math.comb(among, 2), degrees)) * math.sqrt(images + seeds)
    return Comparison(difference=lead, low=lead - reach, high=lead + reach)


def pooled_variance(scores: Sequence[Sequence[float]]) -> tuple[float, int]:
    """Variance of a training's score over seeds, the same for all by assumption, and its degrees of freedom."""
    freedom = sum(len(each) - 1 for each in scores)
    squares = sum((score - fmean(each)) ** 2 for each in scores for score in each)
    return (squares / freedom if freedom else 0.0), freedom
