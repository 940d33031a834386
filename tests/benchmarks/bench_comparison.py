"""How often finals call equals different, how often they recognise a better finalist, and how far re-scores are off.

    python tests/benchmarks/bench_comparison.py [--repeats 300] [--races]

A training's logit for the right class of an image is the image's easiness, shared by all (normal, deviation 3, mean
5), plus the configuration's skill, plus the seed's (deviation `scatter`), plus noise of that training and image
(deviation 1); 250 images are judged by accuracy.

False alarms: with three equals, any that is called significantly different is one; of the uneven ones, one never
scatters and the others do, at the same expected accuracy. Beside it the plain way, percentiles of a bootstrap that
draws images, and seeds, again. Power: one of three is better, by a logit of 1 or 2; it is recognised if it wins and
both others are significantly different. Leads and scatter are in the record in points of accuracy as well.

Races: the same finals, where seeds are added one at a time to those that can still win, beside three seeds for all. Who
is how far behind is said in points; `trainings` are of 9. A finalist has a search score from one more training on as
many other images; those that it makes hopeless are not trained again, nor compared, in the row `hopeless left out`.
They have a record of their own, with `--races`.

Re-scores: 64 equal configurations, each with images that it likes whatever the seed; the best three are trained again
from three seeds, and scored on the images that chose them or on the finals' own.
"""

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
from numpy.typing import NDArray

from searchspace.finals.finalist import Finalist
from searchspace.finals.race.next_trainings import Entrant, next_entrants, read_standing_of
from searchspace.finals.race.prospects import Prospect, find_hopeless
from searchspace.finals.select_winner import FinalistPredictions, RaceDesign, select_winner
from tests.helpers.benchmarks.record import SHARE, write_record
from trainables.data.finals_validation import Partition

IMAGES = 250
LABELS = np.zeros(IMAGES, np.int64)
RESAMPLES = 500
CONFIGURATIONS, STORED = 64, 1_500
"""Equal configurations of a search, and its images of train and validation."""
DEVIATION = math.sqrt(3**2 + 1**2)
"""Of a logit over images and trainings."""

SEEDS, TRIALS = 3, 64
"""Fresh seeds of a finalist, and trials that the best of the search is the best of."""
FIELDS = {
    "equal": (0.0, 0.0, 0.0), "one ahead by 2.8 points": (1.0, 0.0, 0.0), "one ahead by 4.3 points": (2.0, 0.0, 0.0),
    "one 10 points behind": (0.0, 0.0, -1.9), "two 10 points behind": (0.0, -1.9, -1.9),
}  # fmt: skip
"""Skills of the finalists of a race."""
Setting = tuple[float, float]
"""A configuration's skill and its seeds' scatter, both logits."""


def trained(
    rng: np.random.Generator, easiness: NDArray[Any], seeds: int, number: int, setting: Setting
) -> FinalistPredictions:
    """One configuration, trained from some seeds."""
    skill, scatter = setting
    logits = easiness + skill + scatter * rng.normal(size=(seeds, 1)) + rng.normal(size=(seeds, IMAGES))
    right = 1 / (1 + np.exp(-logits))
    said = np.stack([right, 1 - right], axis=2).astype(np.float32)
    return FinalistPredictions((number,), None, True, dict(enumerate(said)), lost=0, seconds=1.0)


def finals(seed: int, seeds: int, settings: list[Setting]) -> list[FinalistPredictions]:
    """One search's finals."""
    rng = np.random.default_rng(seed)
    easiness = 3 * rng.normal(size=IMAGES) + 5
    return [trained(rng, easiness, seeds, number, setting) for number, setting in enumerate(settings)]


def accuracy(setting: Setting) -> float:
    """Expected accuracy over images and seeds."""
    skill, scatter = setting
    return 0.5 * (1 + math.erf((5 + skill) / math.sqrt(2 * (DEVIATION**2 + scatter**2))))


def scatter_points(scatter: float) -> float:
    """Standard deviation of one training's expected accuracy over seeds, in points."""
    draws = np.random.default_rng(0).normal(size=20_000)
    scores = [0.5 * (1 + math.erf((5 + scatter * draw) / math.sqrt(2) / DEVIATION)) for draw in draws]
    return 100 * float(np.std(scores))


def as_good_on_average(scatter: float) -> Setting:
    """A configuration whose seeds scatter, of the expected accuracy of one that does not and has no skill."""
    return 5 * (math.sqrt(1 + scatter**2 / DEVIATION**2) - 1), scatter


def alarm(finalists: tuple[Finalist, ...]) -> bool:
    """Whether any is called different from the winner."""
    return any(other.comparison is not None and other.comparison.is_significant for other in finalists[1:])


def recognised(finalists: tuple[Finalist, ...]) -> bool:
    """Whether the first configuration wins and is called different from every other."""
    others = [other.comparison is not None and other.comparison.is_significant for other in finalists[1:]]
    return finalists[0].name == 0 and all(others)


def alarm_of_percentiles(contenders: list[FinalistPredictions], seed: int, redraw: bool) -> bool:
    """Whether plain percentiles call any different, images drawn again, and seeds, too, if `redraw`."""
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


def rows_of(repeats: int) -> Iterator[dict[str, float]]:
    """False alarms and power, by seeds and their scatter."""
    for seeds in (1, 2, 3, 5):
        for scatter in (0.0, 0.15, 0.5, 2.0):
            equal = [finals(i, seeds, [(0.0, scatter)] * 3) for i in range(repeats)]
            uneven = [finals(i, seeds, [(0.0, 0.0), *[as_good_on_average(scatter)] * 2]) for i in range(repeats)]
            row = {
                "seeds": seeds, "scatter": scatter, "scatter points": scatter_points(scatter),
                "false alarms": np.mean([alarm(select_winner("accuracy", each, LABELS)) for each in equal]),
                "false alarms, one never scatters": np.mean(
                    [alarm(select_winner("accuracy", each, LABELS)) for each in uneven]
                ),
                "false alarms of percentiles": np.mean([alarm_of_percentiles(e, i, True) for i, e in enumerate(equal)]),
                "false alarms of percentiles over images": np.mean(
                    [alarm_of_percentiles(each, i, False) for i, each in enumerate(equal)]
                ),
            }  # fmt: skip
            for lead in (1.0, 2.0):
                settings = [(lead, scatter), (0.0, scatter), (0.0, scatter)]
                found = [select_winner("accuracy", finals(i, seeds, settings), LABELS) for i in range(repeats)]
                row |= {
                    f"lead {lead:g}, points": 100 * (accuracy(settings[0]) - accuracy(settings[1])),
                    f"lead {lead:g}, wins": np.mean([each[0].name == 0 for each in found]),
                    f"lead {lead:g}, recognised": np.mean([recognised(each) for each in found]),
                }
            yield {key: round(float(value), 4) for key, value in row.items()}


def raced(seed: int, settings: Sequence[Setting]) -> list[FinalistPredictions]:
    """One search's finals from all seeds, each finalist with a search score of other images and another seed."""
    rng = np.random.default_rng(seed)
    easiness = 3 * rng.normal(size=2 * IMAGES) + 5
    found = []
    for number, (skill, scatter) in enumerate(settings):
        logits = easiness + skill + scatter * rng.normal(size=(SEEDS + 1, 1)) + rng.normal(size=(SEEDS + 1, 2 * IMAGES))
        right = 1 / (1 + np.exp(-logits[:SEEDS, :IMAGES]))
        said = np.stack([right, 1 - right], axis=2).astype(np.float32)
        search = float((logits[SEEDS, IMAGES:] > 0).mean())
        found.append(FinalistPredictions((number,), search, True, dict(enumerate(said)), 0, 1.0, planned=SEEDS))
    return found


def able(full: Sequence[FinalistPredictions]) -> list[FinalistPredictions]:
    """Those that their search score does not make hopeless."""
    prospects = [Prospect(e.members[0], e.search_score, e.search_score or 0.0, 1.0, False) for e in full]
    hopeless = find_hopeless("accuracy", prospects, IMAGES, TRIALS)
    return [each for each in full if each.members[0] not in hopeless]


def run_race(full: Sequence[FinalistPredictions]) -> tuple[int, tuple[Finalist, ...]]:
    """The trainings that a race on one slot takes, and its finalists."""
    counts, design = {each.members[0]: 1 for each in full}, RaceDesign(SEEDS, len(full))
    while True:
        shown = [
            replace(e, probabilities={i: e.probabilities[i] for i in range(counts[e.members[0]])}) for e in full
        ]  # fmt: skip
        found = select_winner("accuracy", shown, LABELS, design=design)
        agreeing = select_winner("accuracy", [replace(e, deterministic=True) for e in shown], LABELS, design=design)
        entrants = [Entrant(number, SEEDS, 1.0, scored=count) for number, count in counts.items()]
        chosen = next_entrants(entrants, read_standing_of(found, agreeing))
        if not chosen:
            return sum(counts.values()), found
        counts[chosen[0]] += 1


def races_of(repeats: int) -> Iterator[dict[str, Any]]:
    """Races beside three seeds for all: how often they err, find the best, recognise it, and what they take."""
    for name, skills in FIELDS.items():
        for scatter in (0.15, 0.5, 2.0):
            full = [raced(seed, [(skill, scatter) for skill in skills]) for seed in range(repeats)]
            ways = {
                "fixed": [(SEEDS * len(skills), select_winner("accuracy", each, LABELS)) for each in full],
                "race": [run_race(each) for each in full],
                "hopeless left out": [run_race(able(each)) for each in full],
            }
            yield {"finalists": name, "scatter": scatter} | {
                way: {
                    "called different": round(float(np.mean([alarm(found) for _, found in each])), 4),
                    "first wins": round(float(np.mean([found[0].name == 0 for _, found in each])), 4),
                    "first recognised": round(
                        float(np.mean([len(found) == len(skills) and recognised(found) for _, found in each])), 4
                    ),
                    "trainings": round(float(np.mean([count for count, _ in each])), 2),
                }
                for way, each in ways.items()
            }


def one_search(seed: int) -> dict[str, float]:
    """Mean scores of the best three of equal configurations, on what chose them, on other images, and in truth."""
    rng = np.random.default_rng(seed)
    labels = np.arange(STORED) % 2
    split = Partition.from_labels(labels, STORED - IMAGES, "drawn")
    liked = 3 * rng.normal(size=STORED) + 5.5 + 2 * rng.normal(size=(CONFIGURATIONS, STORED))
    once = liked + rng.normal(size=liked.shape) > 0
    best = np.argsort(-once[:, split.val].mean(axis=1), kind="stable")[:3]
    again = liked[best, None] + rng.normal(size=(3, 3, STORED)) > 0
    others = np.setdiff1d(np.arange(STORED), np.concatenate([split.val, split.final_val]))
    return {
        "search": float(once[best][:, split.val].mean()),
        "re-score on the search's images": float(again[..., split.val].mean()),
        "re-score on the finals' images": float(again[..., split.final_val].mean()),
        "truth": float(again[..., others].mean()),
    }


def main() -> None:
    """Simulate, print, leave the record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=300)
    parser.add_argument("--races", action="store_true")
    given = parser.parse_args()
    settings = {"images": IMAGES, "finalists": 3, "metric": "accuracy", "configurations": CONFIGURATIONS}
    rows = []
    for row in races_of(given.repeats) if given.races else rows_of(given.repeats):
        rows.append(row)
        print(row, flush=True)
    if given.races:
        figures = {"settings": settings | {"seeds": SEEDS}, "races": rows}
        arguments = [f"--repeats {given.repeats}", "--races"]
        print(write_record("bench_comparison_races", figures, arguments, given.repeats, SHARE))
        return
    searches = [one_search(seed) for seed in range(given.repeats)]
    rescores = {name: round(float(np.mean([found[name] for found in searches])), 4) for name in searches[0]}
    figures = {"settings": settings, "rows": rows, "re-scores": rescores}
    print(rescores, write_record("bench_comparison", figures, [f"--repeats {given.repeats}"], given.repeats, SHARE))


if __name__ == "__main__":
    main()
