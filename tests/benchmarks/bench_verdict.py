"""How often the finals' verdict is wrong, and what it can see: simulated finals of three configurations.

    python tests/benchmarks/bench_verdict.py [--repeats 300]

A training's logit for the right class of an image is the image's easiness, shared by all (normal, deviation 3, mean
5), plus the configuration's skill, plus the seed's (deviation `scatter`), plus noise of that training and image
(deviation 1); 250 images are judged by accuracy. With three equals, any that is told apart is an error. Beside it the
plain way: percentiles of a bootstrap that draws images and seeds again. With one that is better by a logit of 2, what
counts is how often it wins, and how often it is told apart from both.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
from numpy.typing import NDArray
from record import write_record

from searchspace.proof.verdict import Contender, Finalist, judge

IMAGES = 250
LABELS = np.zeros(IMAGES, np.int64)
RESAMPLES = 500


def trained(rng: np.random.Generator, easiness: NDArray[Any], seeds: int, skill: float, scatter: float) -> Contender:
    """One configuration, trained from some seeds; its number is its skill."""
    logits = easiness + skill + scatter * rng.normal(size=(seeds, 1)) + rng.normal(size=(seeds, IMAGES))
    right = 1 / (1 + np.exp(-logits))
    said = np.stack([right, 1 - right], axis=2).astype(np.float32)
    return Contender((int(skill),), None, True, dict(enumerate(said)), lost=0, seconds=1.0)


def finals(seed: int, seeds: int, skills: tuple[float, ...], scatter: float) -> list[Contender]:
    """One search's finals."""
    rng = np.random.default_rng(seed)
    easiness = 3 * rng.normal(size=IMAGES) + 5
    return [trained(rng, easiness, seeds, skill, scatter) for skill in skills]


def any_apart(finalists: tuple[Finalist, ...]) -> bool:
    """Whether the verdict tells any from the winner."""
    return any(other.behind is not None and other.behind.told_apart for other in finalists[1:])


def all_apart(finalists: tuple[Finalist, ...]) -> bool:
    """Whether it tells the winner from every other."""
    return all(other.behind is not None and other.behind.told_apart for other in finalists[1:])


def any_apart_plainly(contenders: list[Contender], seed: int, redraw: bool) -> bool:
    """Whether plain percentiles do, images drawn again, and seeds, too, if `redraw`."""
    rng = np.random.default_rng(seed)
    draws = rng.integers(IMAGES, size=(RESAMPLES, IMAGES))
    means, exact = [], []
    for contender in contenders:
        right = np.stack([said[:, 0] > 0.5 for said in contender.probabilities.values()])
        each = right[:, draws].mean(axis=2)
        picks = rng.integers(len(right), size=(len(right), RESAMPLES))
        means.append((np.take_along_axis(each, picks, axis=0) if redraw else each).mean(axis=0))
        exact.append(right.mean())
    best = int(np.argmax(exact))
    return any(np.quantile(means[best] - other, 0.025) > 0 for i, other in enumerate(means) if i != best)


def main() -> None:
    """Simulate, print, leave the record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=300)
    repeats = parser.parse_args().repeats
    rows = []
    for seeds in (1, 2, 3, 5):
        for scatter in (0.0, 0.5, 2.0):
            equal = [finals(i, seeds, (0.0, 0.0, 0.0), scatter) for i in range(repeats)]
            unequal = [finals(i, seeds, (2.0, 0.0, 0.0), scatter) for i in range(repeats)]
            better = [judge("accuracy", each, LABELS) for i, each in enumerate(unequal)]
            wins = [found[0].name == 2 for found in better]
            rows.append({
                "seeds": seeds, "scatter": scatter,
                "equals told apart": np.mean([any_apart(judge("accuracy", e, LABELS)) for i, e in enumerate(equal)]),
                "by both drawn again": np.mean([any_apart_plainly(e, i, True) for i, e in enumerate(equal)]),
                "by images drawn again": np.mean([any_apart_plainly(e, i, False) for i, e in enumerate(equal)]),
                "the better wins": np.mean(wins),
                "and is told apart": np.mean([w and all_apart(found) for w, found in zip(wins, better, strict=True)]),
                "winner's mean score": np.mean([found[0].score for found in better]),
                "winner's mean lead": np.mean([found[0].score - found[1].score for found in better]),
            })  # fmt: skip
            rows[-1] = {key: round(float(value), 4) for key, value in rows[-1].items()}
            print(rows[-1], flush=True)
    settings = {"images": IMAGES, "finalists": 3, "metric": "accuracy", "n": repeats}
    print(write_record("bench_verdict", {"settings": settings, "rows": rows}, [f"--repeats {repeats}"]))


if __name__ == "__main__":
    main()
