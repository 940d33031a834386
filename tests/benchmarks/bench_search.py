"""The same CNN search on digits, two ways: a plain Optuna loop in one process, and searchspace.

    python tests/benchmarks/bench_search.py [--trials 64] [--repeats 3]

Each way is a process of its own, timed from its start to its end by the clock; the order turns with each repeat,
because machines are noisy and warm up. Searchspace runs its search only (one finalist's retraining and export are
timed apart). What Ray's guide pattern costs a trial is in `bench_overhead.py`.
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

sys.path.insert(0, str(Path(__file__).parents[2]))

from cnn import FACTOR, GRACE, MAX_EPOCHS

from tests.helpers.benchmarks.account import read_account
from tests.helpers.benchmarks.record import last_json, summary, write_record

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
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    slots = max(1, len(os.sched_getaffinity(0)))
    ways = {
        "optuna": lambda seed: run_rival("rival_optuna.py", given.trials, seed),
        "searchspace": lambda seed: run_searchspace(given.trials, seed),
    }
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in ways}
    for repeat in range(given.repeats):
        order = list(ways)[:: 1 if repeat % 2 == 0 else -1]
        for name in order:
            runs[name].append(ways[name](repeat))
            print(f"repeat {repeat + 1}  {name}: {json.dumps(runs[name][-1])}", flush=True)
    figures = {
        name: {key: summary([float(run[key]) for run in found]) for key in found[0] if key != "began"}
        for name, found in runs.items()
    }
    pairs = zip(runs["optuna"], runs["searchspace"], strict=True)
    ratio = summary([optuna["seconds"] / own["seconds"] for optuna, own in pairs])
    print(f"optuna / searchspace, seconds: {ratio}")
    settings = {"trials": given.trials, "max_epochs": MAX_EPOCHS, "slots": slots}
    record = {"settings": settings, "ways": figures, "optuna / searchspace, seconds": ratio}
    print(write_record("bench_search", record, [f"--trials {given.trials}", f"--repeats {given.repeats}"]))


if __name__ == "__main__":
    main()
