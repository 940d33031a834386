"""The comparison of two classifiers that were cross-validated on the same folds."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from searchspace.finals.comparison import ROUNDING_VARIANCE, Comparison, ComparisonOutcome, make_interval
from trainables.metrics.intervals import image_influence
from trainables.metrics.metric_registry import MetricName, compute_score

Predictions = Mapping[int, NDArray[Any]]
"""Class probabilities (images, classes) by repetition: each image's from the training that it was held out of."""


@dataclass(frozen=True)
class FoldedImages:
    """The images of a cross-validation, by fold."""

    folds: Mapping[int, NDArray[np.int64]]
    """Fold of each image (images,), by repetition."""
    always_trained: int = 0
    """Images besides them that every training has."""
    weights: NDArray[np.float32] | None = None
    """Weight of each image in scores, shape (images,); None: 1 for all."""

    @property
    def trainings(self) -> int:
        """Trainings of one classifier."""
        return sum(int(each.max()) + 1 for each in self.folds.values())

    @property
    def held_out_ratio(self) -> float:
        """Images that a training is scored on, divided by those that it trains on: the mean."""
        images = sum(len(each) for each in self.folds.values())
        held = images / self.trainings
        return held / (images / len(self.folds) - held + self.always_trained)

    def of_repeats(self, repeats: Collection[int]) -> "FoldedImages":
        """The same for some of the repetitions."""
        return replace(self, folds={repeat: folds for repeat, folds in self.folds.items() if repeat in repeats})

    def fold_means(self, values: Mapping[int, NDArray[np.float64]]) -> NDArray[np.float64]:
        """Mean of the `values` (images,) over each fold of each repetition."""
        return np.concatenate([
            np.bincount(folds, weights=values[repeat]) / np.bincount(folds) for repeat, folds in self.folds.items()
        ])  # fmt: skip

    def fold_scores(
        self, metric: MetricName, probabilities: Predictions, labels: NDArray[np.int64]
    ) -> tuple[float, ...]:
        """Score of each training on its own fold."""

        def score(repeat: int, own: NDArray[np.bool_]) -> float:
            weights = None if self.weights is None else self.weights[own]
            return compute_score(metric, probabilities[repeat][own], labels[own], weights)

        known = self.of_repeats(probabilities).folds.items()
        return tuple(score(repeat, folds == fold) for repeat, folds in known for fold in np.unique(folds))


def compare_folds(
    metric: MetricName, first: Predictions, second: Predictions, labels: NDArray[np.int64], images: FoldedImages,
    pairs: float = 1.0,
) -> Comparison:  # fmt: skip
    """By how much `first` scores better than `second`, and the 95 % interval that chance leaves this difference.

    The score of a repetition is that of all its out-of-fold predictions together: a metric is of sums over images. The
    difference has one value for each fold, by the influence of the fold's images; it is paired, as both sides trained
    and were scored on the same images. Folds share training images, so their values are not independent and their plain
    variance is too small: it is multiplied by 1/J + n2/n1 for J trainings of n1 images scored on n2, with J - 1 degrees
    of freedom (Nadeau and Bengio, doi:10.1023/A:1024068626366; for repetitions Bouckaert and Frank,
    doi:10.1007/978-3-540-24775-3_3). No estimate is unbiased (Bengio and Grandvalet, JMLR 5, 2004); this one is
    cautious. At least the paired variance over images is left. The interval holds for `pairs`
    comparisons together. Of the repetitions those count that both sides have.
    """
    repeats = [repeat for repeat in images.folds if repeat in first and repeat in second]
    first, second = ({repeat: side[repeat] for repeat in repeats} for side in (first, second))
    images = images.of_repeats(repeats)
    weights = images.weights
    scores = [
        np.mean([compute_score(metric, each, labels, weights) for each in side.values()]) for side in (first, second)
    ]
    difference = float(scores[0] - scores[1])
    values = {
        repeat: image_influence(metric, first[repeat], labels, weights)
        - image_influence(metric, second[repeat], labels, weights)
        for repeat in images.folds
    }
    means, count = images.fold_means(values), images.trainings
    between = (1 / count + images.held_out_ratio) * float(means.var(ddof=1))
    paired = float(np.mean(list(values.values()), axis=0).var(ddof=1)) / len(labels)
    variance = max(between, paired)
    if variance < ROUNDING_VARIANCE:
        return Comparison(difference=difference, low=None, high=None, reason=ComparisonOutcome.NO_VARIANCE)
    freedom = (count - 1) * (variance / between) ** 2 if between else math.inf
    return make_interval(metric, difference, variance, freedom, pairs).model_copy(update={"method": "corrected t"})
