"""From the shell to the first training step: searchspace, Ray's guide pattern, a plain Optuna loop, in turn.

    python tests/benchmarks/bench_coldstart.py [--repeats 5]

The data's store is built beforehand for all three. Each is a process of its own; what is timed is the moment its first
training epoch begins: searchspace prints it, the rivals' first epoch's report says when it began.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.helpers.benchmarks.record import last_json, summary, write_record
from trainables.data.store.store import prepare_data

HERE = Path(__file__).parent
FIRST = re.compile(r"the first step after ([\d.]+) s")


def searchspace_start() -> float:
    """Seconds from the command's start to the first step, as seen from outside."""
    results = tempfile.mkdtemp(prefix="bench-coldstart-")
    command = [
        sys.executable, "-m", "searchspace.run", "--trials", "2", "--name", "bench", "--results", results,
        "--space", f"{HERE / 'cnn.py'}:space", "--max-epochs", "2", "--finalists", "1",
    ]  # fmt: skip
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    first = 0.0
    for line in process.stdout or ():
        found = FIRST.search(line)
        if found:
            clock = float(line.split("[")[1].split(" s")[0])  # the command's own clock begins after Python's start
            first = time.perf_counter() - started - (clock - float(found[1]))
    if process.wait() or not first:
        raise SystemExit("searchspace failed")
    shutil.rmtree(results)
    return first


def rival_start(script: str, *arguments: object) -> float:
    """Seconds from a rival's start to its first epoch, which it prints as `began`, in Unix time."""
    started = time.time()
    command = [sys.executable, str(HERE / script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{script} failed:\n{done.stderr[-3000:]}")
    return float(last_json(done.stdout)["began"]) - started


def main() -> None:
    """Measure in turn, print the ratios, leave the record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    prepare_data("digits")
    ways = {
        "searchspace": searchspace_start,
        "ray": lambda: rival_start("rival_ray.py", 1, 0, 1),
        "optuna": lambda: rival_start("rival_optuna.py", 1, 0),
    }
    runs: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(given.repeats):
        for name, start in ways.items():
            runs[name].append(start())
            print(f"{name}: {runs[name][-1]:.1f} s", flush=True)
    figures = {name: summary(found) for name, found in runs.items()}
    ratio = figures["ray"]["median"] / figures["searchspace"]["median"]
    print(f"ray / searchspace = {ratio:.2f}")
    record = {"unit": "seconds", "ways": figures, "ratios": {"ray / searchspace": ratio}}
    print(write_record("bench_coldstart", record, [f"--repeats {given.repeats}"]))


if __name__ == "__main__":
    main()
