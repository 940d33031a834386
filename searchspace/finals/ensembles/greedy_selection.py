"""Greedy selection of an ensemble from trained classifiers, with replacement (doi:10.1145/1015330.1015432).

Selected and scored on the same images, it flatters itself: any of many classifiers fits some of them by luck. So it is
scored by cross-validation: selected on all folds but one, and scored on that one. What it is compared with, the best
classifier alone, is chosen in the same way. Pure numpy.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.metrics.class_counts import Weights
from trainables.metrics.intervals import image_influence
from trainables.metrics.metric_registry import MetricName, compute_score

ROUNDS = 12
"""Times that a classifier is added, at most: weights are multiples of one twelfth, or coarser."""
FOLDS = 5
"""Folds of the cross-validation."""
LOSS_WEIGHT = 1e-6
"""Of a nat against a score, where classifiers are added: less than an image in any validation split."""

Counts = tuple[int, ...]
"""How often each classifier of a library counts; 0: it is no member."""
Admits = Callable[[frozenset[int]], bool]
"""Whether an ensemble may have these classifiers, by their places in the library."""


@dataclass(frozen=True)
class Library:
    """What trained classifiers predicted for the same images."""

    probabilities: NDArray[np.floating[Any]]
    """Class probabilities, shape (classifiers, images, classes)."""
    labels: NDArray[np.int64]
    """True class of each image, shape (images,)."""
    weights: Weights = None
    """Weight of each image in scores, shape (images,); None: 1 for all."""

    def at(self, images: NDArray[np.int64]) -> "Library":
        """The same for some of the images."""
        weights = None if self.weights is None else self.weights[images]
        return Library(self.probabilities[:, images], self.labels[images], weights)

    def mean(self, counts: Counts) -> NDArray[np.float64]:
        """Mean probabilities (images, classes) of the classifiers, each as often as it counts."""
        chosen = np.flatnonzero(counts)
        shares = np.array(counts, np.float64)[chosen] / sum(counts)
        return np.tensordot(shares, self.probabilities[chosen].astype(np.float64), axes=1)


@dataclass(frozen=True)
class NestedScore:
    """What an ensemble gains over the best classifier alone, on images that chose neither."""

    ensemble: float
    """Score of the selected ensembles, each on the fold that did not select it."""
    single: float
    """Score of the best classifiers alone, each on the fold that did not choose it."""
    noise: float
    """Standard error of their difference, over images."""
    loss_gain: float
    """By how many nats the ensembles' cross-entropy is lower."""
    loss_noise: float
    """Standard error of that."""

    @property
    def gain(self) -> float:
        """By how much the ensembles' score is higher."""
        return self.ensemble - self.single

    @property
    def is_clear(self) -> bool:
        """Whether the gain is more than noise: one standard error, or half of one with a loss that is lower by two."""
        return self.gain > self.noise or (self.gain > self.noise / 2 and self.loss_gain > 2 * self.loss_noise)


def select_greedily(metric: MetricName, library: Library, admits: Admits = lambda _members: True) -> Counts:
    """How often each classifier counts in the ensemble that scores best on the library's images.

    It begins with the best classifier, and the one that helps most is added, again and again, also if it is a member;
    of all these ensembles the best is returned, the smallest of equal ones. So it is never below the best classifier.
    """
    size = len(library.probabilities)
    counts, total = np.zeros(size, int), np.zeros(library.probabilities.shape[1:])
    best, best_score = counts, -math.inf
    for _ in range(min(ROUNDS, 1 if size == 1 else ROUNDS)):
        members = frozenset(np.flatnonzero(counts).tolist())
        able = [place for place in range(size) if place in members or admits(members | {place})]
        if not able:
            break
        added = counts.sum() + 1
        scores = [_objective(metric, library, (total + library.probabilities[place]) / added) for place in able]
        place = able[int(np.argmax(scores))]
        counts = counts + np.eye(size, dtype=int)[place]
        total = total + library.probabilities[place]
        if max(scores) > best_score:
            best, best_score = counts, max(scores)
    return _reduced(best)


def best_single(metric: MetricName, library: Library) -> Counts:
    """The ensemble of the best classifier alone."""
    scores = [_objective(metric, library, each) for each in library.probabilities]
    return tuple(int(place == int(np.argmax(scores))) for place in range(len(scores)))


def score_nested(
    metric: MetricName, library: Library, seed: int, admits: Admits = lambda _members: True, folds: int = FOLDS
) -> NestedScore:
    """Score greedy selection by cross-validation over the library's images, in folds with all classes; `seed` deals."""
    ensemble, single = (np.zeros(library.probabilities.shape[1:]) for _ in range(2))
    fold_of = deal_folds(library.labels, folds, seed)
    for fold in range(folds):
        rest, held = library.at(np.flatnonzero(fold_of != fold)), np.flatnonzero(fold_of == fold)
        ensemble[held] = library.at(held).mean(select_greedily(metric, rest, admits))
        single[held] = library.at(held).mean(best_single(metric, rest))
    score, loss = (_compare(each, library, ensemble, single) for each in (metric, "log_loss"))
    return NestedScore(score[0], score[1], score[2], loss[0] - loss[1], loss[2])


def deal_folds(labels: NDArray[np.int64], folds: int, seed: int) -> NDArray[np.int64]:
    """Fold of each image, so that each class is spread evenly over all."""
    rng = np.random.default_rng(seed)
    order = np.lexsort((rng.random(len(labels)), labels))
    found = np.empty(len(labels), np.int64)
    found[order] = np.arange(len(labels)) % folds
    return found


def _compare(
    metric: MetricName, library: Library, first: NDArray[np.float64], second: NDArray[np.float64]
) -> tuple[float, float, float]:
    """Scores of both, and the standard error of their difference over images."""
    scores = [compute_score(metric, each, library.labels, library.weights) for each in (first, second)]
    influence = [image_influence(metric, each, library.labels, library.weights) for each in (first, second)]
    return scores[0], scores[1], float((influence[0] - influence[1]).std(ddof=1)) / math.sqrt(len(library.labels))


def _objective(metric: MetricName, library: Library, probabilities: NDArray[Any]) -> float:
    """The score; among equal ones, the lower cross-entropy."""
    loss = -compute_score("log_loss", probabilities, library.labels, library.weights)
    return compute_score(metric, probabilities, library.labels, library.weights) - LOSS_WEIGHT * min(loss, 100.0)


def _reduced(counts: NDArray[np.int64]) -> Counts:
    divisor = int(np.gcd.reduce(counts))
    return tuple((counts // max(1, divisor)).tolist())
