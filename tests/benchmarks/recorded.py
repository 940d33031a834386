"""Recorded learning curves as early stopping sees them; nothing is trained."""

import json
import math
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from searchspace.stopping.simulate_curves import Curve

POINTS = 18
"""Of a curve whose rungs are shares of its own schedule: the default full length of a trial here."""


@dataclass(frozen=True)
class Pool:
    """Recorded trials, each trained to its full length or to where it diverged."""

    name: str
    curves: list[Curve]
    params: list[dict[str, Any]]
    longest: int
    """Epochs of the longest."""

    @property
    def best(self) -> float:
        """Best full-length score."""
        return max(final(curve) for curve in self.curves)


def final(curve: Curve) -> float:
    """Score at the end; 0 for a trial that diverged, whatever it had before."""
    return max(0.0, curve.values[-1])


def read_alexnet(file: Path, shares: bool) -> Pool:
    """512 configurations of AlexNet on ImageNet (nicholaslourie/opda), 20 to 100 epochs long, with their own schedules.

    With `shares`, each has its curve at `POINTS` equal shares of its own schedule, so that a rung compares trials that
    are as far in theirs, as rungs do in a search where all trials have one length.
    """
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    first = statistics.median(row["learning_curve"][0]["time"] for row in rows if row["learning_curve"])
    curves = [_alexnet_curve(row, first) for row in rows]
    if shares:
        curves = [_at_shares(curve, row["epochs"]) for curve, row in zip(curves, rows, strict=True)]
    params = [
        {name: row[name] for name in ("epochs", "batch_size", "lr", "momentum", "weight_decay", "label_smoothing")}
        | {"peak": row["lr_peak_epoch"] / row["epochs"]}
        for row in rows
    ]
    return Pool("alexnet-imagenet", curves, params, POINTS if shares else max(row["epochs"] for row in rows))


def _alexnet_curve(row: dict[str, Any], first_epoch: float) -> Curve:
    """Its epochs; one that diverged has one more, as long as its others, in which it did."""
    values = [point["top_1"] for point in row["learning_curve"]]
    seconds = [point["time"] for point in row["learning_curve"]]
    if row["nan_train_loss"]:
        seconds.append(seconds[-1] * (1 + 1 / len(seconds)) if seconds else first_epoch)
        values.append(-math.inf)
    return Curve(seconds, values)


def _at_shares(curve: Curve, epochs: int) -> Curve:
    values, seconds = [], []
    for point in range(1, POINTS + 1):
        epoch = max(1, round(epochs * point / POINTS))
        if epoch > len(curve.values) or curve.values[epoch - 1] == -math.inf:
            return Curve([*seconds, curve.seconds[-1]], [*values, -math.inf])
        values.append(curve.values[epoch - 1])
        seconds.append(curve.seconds[epoch - 1])
    return Curve(seconds, values)


def read_own(file: Path) -> Pool:
    """Curves that `bench_anytime.py` recorded of all configurations at every epoch: a cosine, nothing averaged."""
    rows = [row for line in file.read_text().splitlines() if (row := json.loads(line))["way"] == "cosine raw"]
    curves = [Curve(row["seconds"], row["score"]) for row in rows]
    return Pool(file.stem, curves, [row["params"] for row in rows], max(len(curve.values) for curve in curves))
