"""How long the leaderboard of 10,000 trials takes, from the shell to its end, and Optuna's own table beside it.

    python tests/benchmarks/bench_leaderboard.py [--trials 10000] [--repeats 5]

The journal is written by the project's own study code: configurations drawn from the default space at random, epochs
as ASHA would leave them (two thirds of the trials end at epoch 2, most others at 6), scores drawn at random. Then in
turn, each in a process of its own: the leaderboard, and `optuna.load_study(...).trials_dataframe()`. Wall clock and
CPU seconds of each.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from searchspace.spec import make_spec
from searchspace.storage.search_folder import JOURNAL
from tests.helpers.benchmarks.drawn_search import write_search
from tests.helpers.benchmarks.record import summary, write_record

OPTUNA = """
import sys, optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
study = optuna.load_study(storage=JournalStorage(JournalFileBackend(sys.argv[1])), study_name=sys.argv[2])
print(study.trials_dataframe().sort_values("value", ascending=False).head(10).to_string())
"""


def timed(command: list[str]) -> tuple[float, float]:
    """Wall-clock and CPU seconds of a command; raises CalledProcessError where it fails."""
    before, started = os.times(), time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    wall, after = time.perf_counter() - started, os.times()
    return wall, after.children_user + after.children_system - before.children_user - before.children_system


def main() -> None:
    """Write the search, measure in turn, print, leave the record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--results", default="", help="folder that has, or gets, the search `big`; empty: a new one")
    given = parser.parse_args()
    results = given.results or tempfile.mkdtemp(prefix="bench-leaderboard-")
    spec = make_spec(name="big", trials=given.trials, results=results)
    if not spec.folder.exists():
        write_search(spec)
    journal = spec.folder / JOURNAL
    commands = {
        "leaderboard": [sys.executable, "-m", "searchspace.leaderboard", str(spec.folder)],
        "leaderboard csv": [sys.executable, "-m", "searchspace.leaderboard", str(spec.folder), "--format", "csv"],
        "optuna": [sys.executable, "-c", OPTUNA, str(journal), spec.name],
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(given.repeats):
        for name, command in commands.items():
            times[name].append(timed(command))
            print(name, times[name][-1], flush=True)
    figures: dict[str, Any] = {"trials": given.trials, "journal_mb": journal.stat().st_size / 1e6}
    for name, found in times.items():
        wall, cpu = zip(*found, strict=True)
        figures[name] = {"seconds": summary(list(wall)), "cpu_seconds": summary(list(cpu))}
    print(write_record("bench_leaderboard", figures, [f"--trials {given.trials} --repeats {given.repeats}"]))


if __name__ == "__main__":
    main()
