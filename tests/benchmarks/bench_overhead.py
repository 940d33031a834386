"""What a warm trial costs beside its training, and what a decision costs, at 2 and at 8 slots; Ray's guide pattern too.

    python tests/benchmarks/bench_overhead.py [--ray-trials 6] [--repeats 3]

Every gang notes how long it stood idle before each epoch (`EpochReport.wait_seconds`): for the word at a rung of ASHA,
or, before a trial's first epoch, for the next trial to be sampled, handed over and set up. A trial's cost is the sum of
these. The trials are as short as they get, so that nothing hides behind training. Ray's pattern is charged with its
trial's time by Tune's own clock less the seconds in its training loop.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from cnn import FACTOR, GRACE, MAX_EPOCHS
from record import last_json, percentile, summary, write_record

HERE = Path(__file__).parent
TRIALS = {2: 200, 8: 1000}
"""By slots; gangs start one after another, and the short trials of the first ones are many until the last is warm."""


def searchspace_waits(trials: int, slots: int, seed: int) -> dict[str, float]:
    """One search on `slots` gangs; medians and percentiles of its gangs' waits, in seconds."""
    from searchspace.recorded import curve_of
    from searchspace.spec import load_spec
    from searchspace.study import load_study

    results = Path(tempfile.mkdtemp(prefix="bench-overhead-"))
    cores = len(os.sched_getaffinity(0))
    command = [
        sys.executable, "-m", "searchspace.run", "--trials", trials, "--seed", seed, "--name", "bench",
        "--results", results, "--space", f"{HERE / 'cnn.py'}:space", "--max-epochs", MAX_EPOCHS,
        "--grace-epochs", GRACE, "--reduction-factor", FACTOR, "--finalists", 1,
        "--cpus-per-worker", cores / slots, "--set", "width=8", "--set", "batch_size=256",
    ]  # fmt: skip
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"searchspace failed:\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}")
    folder = results / "bench"
    curves = [curve_of(trial) for trial in load_study(load_spec(folder), folder).get_trials()]
    shutil.rmtree(results)
    before = done.stdout.split(f"gang {slots}/{slots} warm")
    if len(before) < 2:
        raise SystemExit(f"{trials} trials were over before all {slots} gangs were warm")
    # Only trials that began when all gangs were warm, and each had met its first ones with cold caches.
    warm = [curve for curve in curves[before[0].count("  trial ") + 2 * slots :] if curve]
    costs = [sum(report.wait_seconds for report in curve) for curve in warm]
    decisions = [report.wait_seconds for curve in warm for report in curve[1:]]
    return {
        "trials_measured": len(warm),
        "trial_p50": statistics.median(costs),
        "trial_p95": percentile(costs, 95),
        "decision_p50": statistics.median(decisions),
        "decision_p95": percentile(decisions, 95),
        "training_per_epoch": statistics.median(report.seconds for curve in warm for report in curve),
    }


def ray_pattern(trials: int, slots: int, seed: int) -> dict[str, float]:
    """Ray's guide pattern: seconds of a trial outside its training loop."""
    command = [sys.executable, str(HERE / "rival_ray.py"), str(trials), str(seed), str(slots)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"rival_ray.py failed:\n{done.stderr[-3000:]}")
    return {"trial_p50": last_json(done.stdout)["outside_training"]}


def main() -> None:
    """Measure in turn, print the ratios, leave the record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--ray-trials", type=int, default=6)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    runs: dict[str, list[dict[str, float]]] = {}
    for repeat in range(given.repeats):
        for slots, trials in TRIALS.items():
            runs.setdefault(f"searchspace, {slots} slots", []).append(searchspace_waits(trials, slots, repeat))
            print(slots, runs[f"searchspace, {slots} slots"][-1], flush=True)
        runs.setdefault("ray, 2 slots", []).append(ray_pattern(given.ray_trials, 2, repeat))
        print("ray", runs["ray, 2 slots"][-1], flush=True)
    figures = {name: {key: summary([run[key] for run in found]) for key in found[0]} for name, found in runs.items()}
    cost = {name: found["trial_p50"]["median"] for name, found in figures.items()}
    ratios = {f"ray / searchspace, {n} slots": cost["ray, 2 slots"] / cost[f"searchspace, {n} slots"] for n in TRIALS}
    for name, value in ratios.items():
        print(f"{name} = {value:.0f}")
    arguments = [f"--ray-trials {given.ray_trials}", f"--repeats {given.repeats}"]
    print(write_record("bench_overhead", {"unit": "seconds", "ways": figures, "ratios": ratios}, arguments))


if __name__ == "__main__":
    main()
