"""The same CNN search on digits, three ways: a plain Optuna loop, Ray's guide pattern, searchspace.

    python tests/benchmarks/bench_search.py [--trials 64] [--ray-trials 8] [--repeats 3]

Each way is a process of its own, timed from its start to its end by the clock; the order turns with each repeat,
because machines are noisy and warm up. Ray's pattern takes some 20 s a trial, so it runs few and its cost per trial is
what is compared. Searchspace runs its search only (one finalist's retraining and export are timed apart).
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from account import read_account
from cnn import FACTOR, GRACE, MAX_EPOCHS
from record import last_json, summary, write_record

HERE = Path(__file__).parent


def run_rival(script: str, *arguments: object) -> dict[str, Any]:
    """Run a rival's script in a process of its own."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, str(HERE / script), *map(str, arguments)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{script} failed:\n{done.stderr[-3000:]}")
    return last_json(done.stdout) | {"wall": time.perf_counter() - started}


def run_searchspace(trials: int, seed: int) -> dict[str, Any]:
    """Run the same search with this project, in a process of its own."""
    results = Path(tempfile.mkdtemp(prefix="bench-search-"))
    command = [
        sys.executable, "-m", "searchspace.run", "--trials", trials, "--seed", seed, "--name", "bench",
        "--results", results, "--space", f"{HERE / 'cnn.py'}:space", "--max-epochs", MAX_EPOCHS,
        "--grace-epochs", GRACE, "--reduction-factor", FACTOR, "--finalists", 1,
    ]  # fmt: skip
    started = time.perf_counter()
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, env=os.environ)
    wall = time.perf_counter() - started
    account = read_account(done.stdout)
    if done.returncode or account is None:
        raise SystemExit(f"searchspace failed:\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}")
    rows = json.loads(leaderboard(results / "bench"))
    shutil.rmtree(results)
    best = max((r["score"] for r in rows if r["status"] == "complete"), default=0.0)
    return {"wall_with_finals_and_export": wall, **account, "best": best}


def leaderboard(folder: Path) -> str:
    """The search's leaderboard as JSON."""
    command = [sys.executable, "-m", "searchspace.leaderboard", str(folder), "--format", "json", "--top", "0"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def main() -> None:
    """Measure, print the ratios, leave the record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=64)
    parser.add_argument("--ray-trials", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    slots = max(1, len(os.sched_getaffinity(0)))
    ways = {
        "optuna": lambda seed: run_rival("rival_optuna.py", given.trials, seed),
        "ray": lambda seed: run_rival("rival_ray.py", given.ray_trials, seed, slots),
        "searchspace": lambda seed: run_searchspace(given.trials, seed),
    }
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in ways}
    for repeat in range(given.repeats):
        order = list(ways)[repeat % 3 :] + list(ways)[: repeat % 3]
        for name in order:
            runs[name].append(ways[name](repeat))
            print(f"repeat {repeat + 1}  {name}: {json.dumps(runs[name][-1])}", flush=True)
    figures = {
        name: {key: summary([float(run[key]) for run in found]) for key in found[0] if key != "began"}
        for name, found in runs.items()
    }
    per_trial = {
        name: figures[name]["seconds"]["median"] / (given.ray_trials if name == "ray" else given.trials)
        for name in ways
    }
    ratios = {
        "optuna_seconds / searchspace_seconds": figures["optuna"]["seconds"]["median"]
        / figures["searchspace"]["seconds"]["median"],
        "ray_per_trial / searchspace_per_trial": per_trial["ray"] / per_trial["searchspace"],
    }
    for name, value in ratios.items():
        print(f"{name} = {value:.2f}")
    arguments = [f"--trials {given.trials}", f"--ray-trials {given.ray_trials}", f"--repeats {given.repeats}"]
    settings = {"trials": given.trials, "ray_trials": given.ray_trials, "max_epochs": MAX_EPOCHS, "slots": slots}
    print(
        write_record(
            "bench_search",
            {"settings": settings, "ways": figures, "seconds_per_trial": per_trial, "ratios": ratios},
            arguments,
        )
    )


if __name__ == "__main__":
    main()
