"""Whether a search slows down or swells as it grows: 64, 512 and 2,048 trials of one tiny epoch; and its sampler alone.

    python tests/benchmarks/bench_growth.py [--trials 2048]

One search of all trials, watched from outside: seconds a trial and memory of the driver and of its other processes,
around each size. Then the sampler alone: seconds a suggestion over studies of each size, against Optuna's TPE with the
same options on the same trials, which sees the whole study.
"""

import argparse
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import optuna
import psutil

sys.path.insert(0, str(Path(__file__).parents[2]))

from searchspace.sampling.samplers import STARTUP_TRIALS, make_sampler
from searchspace.spaces import Task, default_space
from searchspace.spec import make_spec
from tests.helpers.benchmarks.record import summary, write_record
from trainables.data.store.store import prepare_data

SIZES = (64, 512, 2048)
"""Trials of the search."""
SAMPLED = (64, 512, 4096)
"""Trials in the studies of the sampler."""
ENDED = re.compile(r"\] (\d+)/\d+  trial ")


def grow(trials: int) -> dict[str, dict[str, float]]:
    """One search; seconds a trial over the newest 32, and resident megabytes, when it has reached each size."""
    results = tempfile.mkdtemp(prefix="bench-growth-")
    command = [
        sys.executable, "-m", "searchspace.run", "--trials", trials, "--max-epochs", 1, "--grace-epochs", 1,
        "--name", "bench", "--results", results, "--models", "convnet", "--finalists", 1, "--set", "width=4",
        "--set", "depth=2", "--set", "batch_size=1024",
    ]  # fmt: skip
    process = subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, text=True)
    times: list[float] = []
    found: dict[str, dict[str, float]] = {}
    for line in process.stdout or ():
        ended = ENDED.search(line)
        if ended is None:
            continue
        times.append(time.perf_counter())
        if int(ended[1]) in SIZES:
            found[ended[1]] = {"seconds_per_trial": (times[-1] - times[-33]) / 32} | _memory(process.pid)
            print(ended[1], found[ended[1]], flush=True)
    if process.wait():
        raise SystemExit("the search failed")
    return found


def _memory(pid: int) -> dict[str, float]:
    """Megabytes of the driver, of the trial broker, and of the largest gang worker and trial actor."""
    driver = psutil.Process(pid)
    sizes = {"driver_mb": driver.memory_info().rss / 1e6}
    for child in driver.children(recursive=True):
        name = " ".join(child.cmdline())
        for role in ("TrialBroker", "RayTrainWorker", "Trainable"):
            if role in name:
                key = f"{role.lower()}_mb"
                sizes[key] = max(sizes.get(key, 0.0), child.memory_info().rss / 1e6)
    return sizes


def suggestion_seconds(sampler: optuna.samplers.BaseSampler, size: int, task: Task) -> list[float]:
    """Seconds of each of 20 suggestions in a study of `size` finished trials, whose scores are drawn at random."""
    rng = random.Random(size)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(size):
        trial = study.ask()
        default_space(trial, task)
        trial.report(rng.random(), 1)
        if rng.random() < 1 / 3:
            study.tell(trial, rng.random())
        else:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    study.sampler = sampler
    seconds = []
    for _ in range(20):
        started = time.perf_counter()
        trial = study.ask()
        default_space(trial, task)
        seconds.append(time.perf_counter() - started)
        study.tell(trial, rng.random())
    return seconds


def plain_tpe() -> optuna.samplers.BaseSampler:
    """Optuna's TPE with the options of `make_sampler`, and no window."""
    return optuna.samplers.TPESampler(
        n_startup_trials=STARTUP_TRIALS, multivariate=True, group=True, constant_liar=True, seed=0
    )


def main() -> None:
    """Measure, print, leave the record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=2048)
    given = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    figures: dict[str, Any] = {"search": grow(given.trials), "suggestion": {}}
    lite0 = "tf_efficientnet_lite0"
    task = Task(data=prepare_data("digits"), models=("convnet", lite0), pretrained=frozenset({lite0}), gpu=False)
    for size in SAMPLED:
        ours = suggestion_seconds(make_sampler(make_spec(name="growth"), "tpe"), size, task)
        plain = suggestion_seconds(plain_tpe(), size, task)
        ratio = statistics.median(plain) / statistics.median(ours)
        figures["suggestion"][str(size)] = {"window": summary(ours), "optuna": summary(plain), "optuna / window": ratio}
        print(size, figures["suggestion"][str(size)], flush=True)
    print(write_record("bench_growth", figures, [f"--trials {given.trials}"], n=1))


if __name__ == "__main__":
    main()
