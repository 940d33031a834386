"""Searches that choose families by what they earn, beside those that do not, on made cases and a virtual clock.

    python tests/benchmarks/bench_families.py [--repeats 10] [--cases photographs digits late]

The engine, sampler, stopping rule and first trials are the search's own; what training costs and reaches is a formula
(`tests/helpers/family_cases.py`). Both ways have the same seeds. Scores are the best validation score so far.
"""

import argparse
import math
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.helpers.benchmarks.record import INTERVAL, write_record
from tests.helpers.family_cases import CASES, FamilyCase, simulate_case

WAYS = {"with families": True, "without": False}


def measure(case: FamilyCase, repeats: int) -> dict[str, Any]:
    """Mean best score at each time with its 95 % interval, and mean seconds of each learning, by way."""
    found: dict[str, Any] = {"seconds": case.times, "ways": {}}
    scores: dict[str, list[list[float]]] = {}
    for name, families in WAYS.items():
        with tempfile.TemporaryDirectory() as folder:
            runs = [simulate_case(case, Path(folder), seed, families) for seed in range(repeats)]
        scores[name] = [reached for reached, _ in runs]
        spent = {each: round(statistics.mean(own[each] for _, own in runs), 1) for each in case.curves}
        found["ways"][name] = {**_intervals(scores[name]), "seconds_by_learning": spent}
        print(f"  {name:14s} {found['ways'][name]}", flush=True)
    pairs = zip(*scores.values(), strict=True)
    found["difference"] = _intervals([[w - o for w, o in zip(*pair, strict=True)] for pair in pairs])
    return found


def _intervals(runs: Sequence[Sequence[float]]) -> dict[str, Any]:
    columns = list(zip(*runs, strict=True))
    half = 1.96 / math.sqrt(len(runs))
    return {
        "n": len(runs), "score": [round(statistics.mean(column), 4) for column in columns],
        "plus_minus": [round(half * statistics.stdev(column), 4) for column in columns],
    }  # fmt: skip


def main() -> None:
    """Simulate, print, leave the record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--cases", nargs="*", default=list(CASES), choices=list(CASES))
    given = parser.parse_args()
    figures = dict[str, Any]()
    for name in given.cases:
        print(name, flush=True)
        figures[name] = measure(CASES[name], given.repeats)
    print(write_record("bench_families", figures, sys.argv[1:], spread=INTERVAL))


if __name__ == "__main__":
    main()
