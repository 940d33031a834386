"""Scores of class probabilities, higher is better: what a search can be asked to make best."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST = 1e-12
"""Probability below which a logarithm would say more than float32 does."""


def score_of(metric: str, probabilities: NDArray[Any], labels: NDArray[np.int64]) -> float:
    """Score of `probabilities` (n, classes) against `labels` (n,): `accuracy`, or `log_loss`, negated, in nats."""
    if metric == "log_loss":
        own = probabilities[np.arange(len(labels)), labels].astype(np.float64)
        return float(np.log(np.maximum(own, LEAST)).mean())
    return float((probabilities.argmax(axis=1) == labels).mean())
