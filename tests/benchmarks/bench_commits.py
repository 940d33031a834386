"""Two commits of this project side by side: cold start, cost of a warm trial, one small search.

    python tests/benchmarks/bench_commits.py --before COMMIT [--trials 64] [--repeats 5]

Each search is a process of its own, from a checkout of its commit. The two commits alternate, and the first one of a
pair changes with each repeat, because machines are noisy and warm up. All figures come from the study's journal, whose
format both commits share, and from the clock:

- `first_step`: seconds from the shell to the first step of training;
- `search`: seconds from the shell to the last trial's end;
- `warm_trial`: what a gang waited beside training, per trial, median over trials after the first two of each slot;
- `command`: seconds of the whole command, with finals, test, export and report.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from cnn import FACTOR, GRACE, MAX_EPOCHS

from tests.helpers.benchmarks.record import ROOT, summary, write_record

SET_REPORT = 8
"""Optuna's code for a trial attribute in a journal."""
SLOTS = 2


def checkout(commit: str, folder: Path) -> Path:
    """A worktree of a commit below `folder`."""
    subprocess.run(["git", "worktree", "add", "--detach", str(folder / "code"), commit], cwd=ROOT, check=True)
    return folder / "code"


def read_reports(journal: Path) -> dict[int, list[dict[str, Any]]]:
    """Reports of each trial in order; each has `at`, Unix time in seconds, beside its own fields."""
    reports: dict[int, list[dict[str, Any]]] = {}
    for line in journal.read_text().splitlines():
        entry = json.loads(line)
        for name, text in entry.get("user_attr", {}).items() if entry["op_code"] == SET_REPORT else ():
            if name.startswith("report-"):
                told = json.loads(text)
                reports.setdefault(entry["trial_id"], []).append(told["report"] | {"at": told["at"]})
    return reports


def measure(code: Path, trials: int, seed: int) -> dict[str, float]:
    """One search from a checkout."""
    results = Path(tempfile.mkdtemp(prefix="bench-commits-"))
    command = [
        sys.executable, "-m", "searchspace.run", "--trials", trials, "--seed", seed, "--name", "bench",
        "--results", results, "--space", f"{code}/tests/benchmarks/cnn.py:space", "--max-epochs", MAX_EPOCHS,
        "--grace-epochs", GRACE, "--reduction-factor", FACTOR, "--finalists", 1,
    ]  # fmt: skip
    started, clock = time.time(), time.perf_counter()
    environment = os.environ | {"PYTHONPATH": str(code)}
    done = subprocess.run(
        [*map(str, command)], capture_output=True, text=True, check=False, env=environment, cwd=code
    )  # fmt: skip
    seconds = time.perf_counter() - clock
    if done.returncode:
        raise SystemExit(f"{code}: failed:\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}")
    reports = read_reports(results / "bench" / "study.journal")
    shutil.rmtree(results)
    waits = [sum(report["wait_seconds"] + report["setup_seconds"] for report in reports[n]) for n in sorted(reports)]
    return {
        "first_step": min(told[0]["at"] - told[0]["total_seconds"] for told in reports.values()) - started,
        "search": max(told[-1]["at"] for told in reports.values()) - started,
        "warm_trial": statistics.median(waits[2 * SLOTS :]),
        "command": seconds,
    }


def compare(before: Path, after: Path, trials: int, repeats: int) -> dict[str, Any]:
    """Both commits, alternating; `ratio` is after / before of a pair, so below 1 is faster."""
    found: dict[str, list[dict[str, float]]] = {"before": [], "after": []}
    sides = [("before", before), ("after", after)]
    for repeat in range(repeats):
        for side, code in sides if repeat % 2 == 0 else reversed(sides):
            found[side].append(measure(code, trials, repeat))
            print(f"{side}: {found[side][-1]}", flush=True)
    figures: dict[str, Any] = {}
    for key in found["before"][0]:
        pairs = [(b[key], a[key]) for b, a in zip(found["before"], found["after"], strict=True)]
        figures[key] = {
            "before": summary([b for b, _ in pairs]),
            "after": summary([a for _, a in pairs]),
            "ratio": summary([a / b for b, a in pairs]),
        }
    return figures


def main() -> None:
    """Measure, print the ratios, and leave `results/benchmarks/bench_commits.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", required=True)
    parser.add_argument("--trials", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bench-commits-code-"))
    code = checkout(given.before, folder)
    try:
        figures = compare(code, ROOT, given.trials, given.repeats)
    finally:
        subprocess.run(["git", "worktree", "remove", "--force", str(code)], cwd=ROOT, check=True)
        shutil.rmtree(folder)
    for key, found in figures.items():
        print(f"{key}: {found['ratio']['median']:.3f} x of {given.before}'s {found['before']['median']:.3f} s")
    settings = {"before": given.before, "trials": given.trials}
    arguments = ["--before", given.before, "--trials", str(given.trials), "--repeats", str(given.repeats)]
    print(write_record("bench_commits", {"settings": settings, **figures}, arguments))


if __name__ == "__main__":
    main()
