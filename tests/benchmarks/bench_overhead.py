"""What a warm trial costs beside its training, and what a decision costs, at 2 and at 8 slots; Ray's guide pattern too.

    python tests/benchmarks/bench_overhead.py [--part trials,decisions] [--ray-measured 16]

Every gang notes how long it stood idle before each epoch (`EpochReport.wait_seconds`): for the word at a rung, or,
before a trial's first epoch, for the next trial to be sampled, handed over and set up. A trial's cost is the sum of
these. Ray's pattern is charged with its trial's time by Tune's own clock less the seconds in its training loop.

`trials`: both sides train the same number of epochs a trial and stop none; on both, the first trials, two a slot, and
here also those before the last gang was warm, are left out, and with them all start-up. `decisions`: a search with
ASHA. The trials are as short as they get, so that nothing hides behind training.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from cnn import FACTOR, GRACE, MAX_EPOCHS

from tests.helpers.benchmarks.record import last_json, percentile, write_record

HERE = Path(__file__).parent
SLOTS = (2, 8)
EPOCHS = 3
"""Of each trial, where none is stopped."""
TRIALS = {"trials": {2: 100, 8: 400}, "decisions": {2: 200, 8: 800}}
"""Gangs start one after another, and the short trials of the first ones are many until the last is warm."""
OPTIONS = {
    "trials": ["--scheduler", "none", "--max-epochs", str(EPOCHS)],
    "decisions": [
        "--max-epochs", str(MAX_EPOCHS), "--grace-epochs", str(GRACE), "--reduction-factor", str(FACTOR),
    ],
}  # fmt: skip


def searchspace_waits(part: str, slots: int) -> list[list[float]]:
    """One search on `slots` gangs; of each trial that is counted, the seconds that its gang waited at each epoch."""
    from searchspace.spec import load_spec
    from searchspace.study.study import load_study
    from searchspace.study.trial_attributes import read_curve

    results, trials = Path(tempfile.mkdtemp(prefix="bench-overhead-")), TRIALS[part][slots]
    command = [
        sys.executable, "-m", "searchspace.run", "--trials", trials, "--seed", 0, "--name", "bench",
        "--results", results, "--space", f"{HERE / 'cnn.py'}:space", *OPTIONS[part], "--finalists", 1,
        "--final-seeds", 1, "--cpus-per-worker", len(os.sched_getaffinity(0)) / slots,
        "--set", "width=8", "--set", "batch_size=256",
    ]  # fmt: skip
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"searchspace failed:\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}")
    folder = results / "bench"
    curves = [read_curve(trial) for trial in load_study(load_spec(folder), folder).get_trials()]
    shutil.rmtree(results)
    before = done.stdout.split(f"gang {slots}/{slots} warm")
    if len(before) < 2:
        raise SystemExit(f"{trials} trials were over before all {slots} gangs were warm")
    warm = [curve for curve in curves[before[0].count("  trial ") + 2 * slots :] if curve]
    return [[report.wait_seconds for report in curve] for curve in warm]


def ray_costs(measured: int, slots: int) -> list[float]:
    """Ray's guide pattern: seconds of each counted trial outside its training loop."""
    arguments = [2 * slots + measured, 0, slots, EPOCHS]
    command = [sys.executable, str(HERE / "rival_ray.py"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"rival_ray.py failed:\n{done.stderr[-3000:]}")
    found: list[float] = last_json(done.stdout)["outside_training"]
    return found


def spread_of(values: list[float]) -> dict[str, float]:
    """n, and percentiles of single trials or decisions within one run."""
    found = {"least": min(values), "median": percentile(values, 50), "p95": percentile(values, 95)}
    return {"n": len(values)} | {name: round(value, 4) for name, value in (found | {"largest": max(values)}).items()}


def main() -> None:
    """Measure in turn, print the ratios, leave the record of each part."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--part", default="trials,decisions")
    parser.add_argument("--ray-measured", type=int, default=16, help="trials of Ray's pattern that count, at each size")
    given = parser.parse_args()
    for part in given.part.split(","):
        figures: dict[str, Any] = {"unit": "seconds", "settings": {"epochs": EPOCHS} if part == "trials" else {}}
        for slots in SLOTS:
            waits = searchspace_waits(part, slots)
            if part == "trials":
                found = {"searchspace": spread_of([sum(each) for each in waits])}
                print(slots, found, flush=True)
                found["ray"] = spread_of(ray_costs(given.ray_measured, slots))
                found["ray / searchspace, medians"] = found["ray"]["median"] / found["searchspace"]["median"]
            else:
                found = {"searchspace": spread_of([wait for each in waits for wait in each[1:]])}
            figures[f"{slots} slots"] = found
            print(slots, found, flush=True)
        arguments = [f"--part {part}", *([f"--ray-measured {given.ray_measured}"] if part == "trials" else [])]
        print(write_record(f"bench_overhead_{part}", figures, arguments, n=1))


if __name__ == "__main__":
    main()
