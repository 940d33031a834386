"""What docs/results.md shows of a search: its output and its leaderboard, word for word.

    python tests/benchmarks/bench_demo.py [--trials 32]

A search of digits with seed 0, from the shell, as it comes; its lines, and those of the leaderboard command after it.
The cache is empty, so that the first trial of a frozen backbone computes its features, whatever was searched before;
that time counts as features.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.helpers.benchmarks.record import write_record

WIDTH = "118"
"""Columns of the terminal that the lines are written for."""


def run(module: str, *arguments: str, folder: str) -> tuple[list[str], float]:
    """Lines of a command's output, and its seconds; raises CalledProcessError where it fails."""
    started = time.perf_counter()
    command = [sys.executable, "-m", f"searchspace.{module}", *arguments]
    environment = os.environ | {"COLUMNS": WIDTH, "SEARCHSPACE_CACHE": f"{folder}/cache"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder, env=environment)
    return [line.rstrip() for line in done.stdout.splitlines()], time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=32)
    trials = str(parser.parse_args().trials)
    with tempfile.TemporaryDirectory(prefix="bench-demo-") as folder:
        output, seconds = run("run", "--trials", trials, "--name", "digits", folder=folder)
        board, _ = run("leaderboard", "results/digits", folder=folder)
    figures = {"settings": {"trials": int(trials)}, "seconds": seconds, "output": output, "leaderboard": board}
    print(write_record("bench_demo", figures, [f"--trials {trials}"], n=1))


if __name__ == "__main__":
    main()
