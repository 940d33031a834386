"""How often the 95 % intervals of a test's scores cover the truth, beside the percentile bootstrap that they replaced.

    python tests/benchmarks/bench_intervals.py [--repeats 1000]

A population of 200,000 images, whose logits are normal noise (deviation 1.5) plus, for the right class, the skill times
the image's easiness (0.4 plus a half-normal), has the accuracy of the row by its skill; a test split is drawn from it.
"even" classes are as large as each other; of 10 "uneven" ones each has 0.6 of the images of the one before, of 2 one
has 15 %. A class that a split lacks is left out of its mean over classes, so that of small splits with
rare classes such a mean estimates something else than the population's, whatever its interval.
"""

import argparse
import sys
from itertools import product
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
from numpy.typing import NDArray

from tests.helpers.benchmarks.record import SHARE, write_record
from trainables.metrics.intervals import score_interval
from trainables.metrics.metric_registry import METRICS, MetricName, compute_score

POPULATION = 200_000
RESAMPLES = 200
IMAGES = (50, 270, 1000)
CLASSES = (2, 10)
ACCURACIES = (0.8, 0.95, 0.98, 0.995)


def population(rng: np.random.Generator, shares: NDArray[Any], accuracy: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """Class probabilities (images, classes) and labels (images,)."""
    labels = rng.choice(len(shares), POPULATION, p=shares)
    noise = 1.5 * rng.normal(size=(POPULATION, len(shares)))
    easiness = 0.4 + np.abs(rng.normal(size=POPULATION))
    low, high = 0.0, 40.0
    for _ in range(25):
        skill = (low + high) / 2
        logits = noise.copy()
        logits[np.arange(POPULATION), labels] += skill * easiness
        low, high = (skill, high) if (logits.argmax(axis=1) == labels).mean() < accuracy else (low, skill)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32), labels


def share_of(kind: str, classes: int) -> NDArray[Any]:
    """Share of the images of each class."""
    if kind == "even":
        return np.full(classes, 1 / classes)
    shares = np.array([0.85, 0.15]) if classes == 2 else 0.6 ** np.arange(classes)
    return shares / shares.sum()


def percentiles(
    metrics: list[MetricName], said: NDArray[Any], labels: NDArray[Any], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Ends of the percentile bootstrap's interval of each metric, shape (2, metrics)."""
    draws = rng.integers(len(labels), size=(RESAMPLES, len(labels)))
    scores = [[compute_score(metric, said[rows], labels[rows]) for metric in metrics] for rows in draws]
    ends: NDArray[np.float64] = np.quantile(scores, [0.025, 0.975], axis=0)
    return ends


def cover(
    said: NDArray[Any], labels: NDArray[Any], images: int, repeats: tuple[int, int], rng: np.random.Generator
) -> dict[str, dict[str, float]]:
    """Coverage and mean width of each metric's interval; of the bootstrap, which is slow, over fewer repeats."""
    metrics = list(METRICS)
    truth = np.array([compute_score(metric, said, labels) for metric in metrics])
    hits: dict[str, list[Any]] = {"ours": [], "bootstrap": []}
    widths: list[Any] = []
    for repeat in range(repeats[0]):
        rows = rng.integers(len(labels), size=images)
        ends = np.array([score_interval(metric, said[rows], labels[rows]) for metric in metrics]).T
        hits["ours"].append((ends[0] <= truth) & (truth <= ends[1]))
        widths.append(ends[1] - ends[0])
        if repeat < repeats[1]:
            low, high = percentiles(metrics, said[rows], labels[rows], rng)
            hits["bootstrap"].append((low <= truth) & (truth <= high))
    covered, before, width = (np.mean(each, axis=0) for each in (hits["ours"], hits["bootstrap"], widths))
    return {
        metric: {
            "covered": round(float(covered[i]), 4), "percentile bootstrap": round(float(before[i]), 4),
            "mean width": round(float(width[i]), 4),
        }
        for i, metric in enumerate(metrics)
    }  # fmt: skip


def main() -> None:
    """Simulate, print, leave the record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=1000)
    parser.add_argument("--bootstraps", type=int, default=200)
    given = parser.parse_args()
    rows = []
    for number, (kind, classes, accuracy) in enumerate(product(("even", "uneven"), CLASSES, ACCURACIES)):
        rng = np.random.default_rng(number)
        said, labels = population(rng, share_of(kind, classes), accuracy)
        for images in IMAGES:
            found = cover(said, labels, images, (given.repeats, given.bootstraps), rng)
            rows.append({"classes": classes, "of size": kind, "true accuracy": accuracy, "images": images, **found})
            print(rows[-1], flush=True)
    methods = {name: metric.interval for name, metric in METRICS.items()}
    settings = {"methods": methods, "repeats of the bootstrap": given.bootstraps, "resamples": RESAMPLES}
    figures = {"settings": settings, "summary": summary_of(rows), "rows": rows}
    arguments = [f"--repeats {given.repeats} --bootstraps {given.bootstraps}"]
    print(write_record("bench_intervals", figures, arguments, given.repeats, SHARE))


def summary_of(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Least, mean and largest coverage by size of classes and metric."""
    return {
        kind: {
            metric: {
                name: [round(float(f([row[metric][name] for row in chosen])), 4) for f in (np.min, np.mean, np.max)]
                for name in ("covered", "percentile bootstrap")
            }
            for metric in METRICS
        }
        for kind in ("even", "uneven")
        for chosen in [[row for row in rows if row["of size"] == kind]]
    }


if __name__ == "__main__":
    main()
