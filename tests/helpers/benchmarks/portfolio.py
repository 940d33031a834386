"""Greedy choice of a portfolio from recorded trainings, and its regret on other data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SHARES = 101
"""Points between the first second and the last at which regret is told."""


@dataclass(frozen=True)
class Pool:
    """What a family's configurations reached on one data set."""

    scores: NDArray[np.float64]
    """Score at the full length, by configuration; the first one is the default."""
    seconds: NDArray[np.float64]
    """What that took."""

    @property
    def count(self) -> int:
        """Configurations."""
        return len(self.scores)

    @property
    def regrets(self) -> NDArray[np.float64]:
        """By configuration: 0 for the best, 1 for the worst."""
        best, worst = self.scores.max(), self.scores.min()
        return np.asarray((best - self.scores) / max(best - worst, 1e-12))


def read_pools(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Pool]]:
    """By family and data set: those sets on which all of the family's configurations were trained."""
    found: dict[str, dict[str, Pool]] = {}
    for family in dict.fromkeys(row["family"] for row in rows):
        own = [row for row in rows if row["family"] == family]
        count = 1 + max(row["config"] for row in own)
        found[family] = {}
        for name in dict.fromkeys(row["data"] for row in own):
            there = {row["config"]: row for row in own if row["data"] == name}
            if len(there) == count:
                seconds = [there[n]["seconds"][-1] - there[n]["shared"] for n in range(count)]
                found[family][name] = Pool(np.array([there[n]["scores"][-1] for n in range(count)]), np.array(seconds))
    return found


def choose_portfolio(pools: Sequence[Pool], entries: int) -> list[int]:
    """Configurations that, tried after the default, leave the least mean regret over the data sets; greedily.

    Those that lower it no more are not taken. Greedy selection is within 1 - 1/e of the best portfolio, as the gain is
    submodular (Nemhauser et al. 1978); auto-sklearn 2.0 chooses so (arXiv:2007.04074).
    """
    regrets = np.stack([pool.regrets for pool in pools])
    chosen = [0]
    for _ in range(entries):
        left = regrets[:, chosen].min(axis=1)
        means = np.minimum(regrets, left[:, None]).mean(axis=0)
        best = int(means.argmin())
        if means[best] >= left.mean():
            break
        chosen.append(best)
    return chosen[1:]


def regrets_by_trials(pool: Pool, orders: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """Mean regret in points after each trial."""
    best = np.maximum.accumulate(pool.scores[np.array(orders)], axis=1)
    return np.asarray(100 * np.mean(pool.scores.max() - best, axis=0))


def regrets_by_seconds(pool: Pool, orders: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """Mean regret in points at shares of the seconds of all trials; before the first trial ends, that of the worst."""
    curves = []
    for order in orders:
        ends = np.cumsum(pool.seconds[list(order)])
        best = np.maximum.accumulate(pool.scores[list(order)])
        ended = np.searchsorted(ends, np.linspace(0, ends[-1] * (1 + 1e-9), SHARES), side="right")
        curves.append(pool.scores.max() - np.concatenate([[pool.scores.min()], best])[ended])
    return np.asarray(100 * np.mean(curves, axis=0))
