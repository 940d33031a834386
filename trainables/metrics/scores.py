"""Scores, higher is better: what a search can be asked to make best, from sums that add up over chunks and workers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

MetricName = Literal["accuracy", "balanced_accuracy", "f1_macro", "log_loss"]
LEAST = 1e-12
"""Probability below which a logarithm would say more than float32 does."""


@dataclass(frozen=True)
class Tally:
    """What was found on some images, as far as any score depends on it."""

    own: NDArray[np.float64]
    """Images of each class, shape (classes,)."""
    called: NDArray[np.float64]
    """Images whose likeliest class it is, shape (classes,)."""
    found: NDArray[np.float64]
    """Images of both kinds, shape (classes,)."""
    loss: float
    """Summed cross-entropy, in nats."""

    @classmethod
    def of(cls, probabilities: NDArray[Any], labels: NDArray[np.int64]) -> "Tally":
        """Tally of `probabilities` (n, classes) against `labels` (n,)."""
        classes = probabilities.shape[1]
        predicted = probabilities.argmax(axis=1)
        right = probabilities[np.arange(len(labels)), labels].astype(np.float64)
        return cls(
            own=_count(labels, classes), called=_count(predicted, classes),
            found=_count(labels[predicted == labels], classes), loss=float(-np.log(np.maximum(right, LEAST)).sum()),
        )  # fmt: skip

    def report(self, metric: MetricName) -> dict[str, float]:
        """Score in `metric`, accuracy and mean cross-entropy, by the names of `EpochReport`."""
        return {"score": METRICS[metric].score(self), "accuracy": self.accuracy, "val_loss": self.mean_loss}

    @property
    def accuracy(self) -> float:
        """Share of images whose likeliest class is right, from 0 to 1."""
        return float(self.found.sum() / self.own.sum())

    @property
    def mean_loss(self) -> float:
        """Mean cross-entropy, in nats."""
        return self.loss / float(self.own.sum())

    @property
    def balanced_accuracy(self) -> float:
        """Mean share of its images found, over the classes that occur, from 0 to 1."""
        there = self.own > 0
        return float((self.found[there] / self.own[there]).mean())

    @property
    def f1_macro(self) -> float:
        """Mean F1, 2 x found / (own + called), over the classes that occur, from 0 to 1."""
        there = self.own > 0
        return float((2 * self.found[there] / (self.own + self.called)[there]).mean())


@dataclass(frozen=True)
class Metric:
    """A score known by name."""

    words: str
    """What to call it in a line of text."""
    summary: str
    """One line for `--help` and the README."""
    score: Callable[[Tally], float]
    """The score, higher is better."""
    by_class: bool = False
    """Whether each class counts alike, however few images it has."""


METRICS: dict[MetricName, Metric] = {
    "accuracy": Metric("accuracy", "share of images classified right", lambda tally: tally.accuracy),
    "balanced_accuracy": Metric(
        "balanced accuracy", "mean of the classes' recalls", lambda tally: tally.balanced_accuracy, by_class=True
    ),
    "f1_macro": Metric("macro F1", "mean of the classes' F1", lambda tally: tally.f1_macro, by_class=True),
    "log_loss": Metric("negated log loss", "minus the mean cross-entropy, in nats", lambda tally: -tally.mean_loss),
}


def score_of(metric: MetricName, probabilities: NDArray[Any], labels: NDArray[np.int64]) -> float:
    """Score of `probabilities` (n, classes) against `labels` (n,), higher is better."""
    return METRICS[metric].score(Tally.of(probabilities, labels))


def _count(labels: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    return np.bincount(labels, minlength=classes).astype(np.float64)
