"""How long the leaderboard of 10,000 trials takes, from the shell to its end, and Optuna's own table beside it.

    python tests/benchmarks/bench_leaderboard.py [--trials 10000] [--repeats 5]

The journal is written by the project's own study code: configurations drawn from the default space at random, epochs
as ASHA would leave them (two thirds of the trials end at epoch 2, most others at 6), scores drawn at random. Then in
turn, each in a process of its own: the leaderboard, and `optuna.load_study(...).trials_dataframe()`. Wall clock and
CPU seconds of each.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import optuna

sys.path.insert(0, str(Path(__file__).parent))

from record import summary, write_record

from searchspace.spaces import Task, default_space
from searchspace.spec import SearchSpec, make_spec, save_record
from searchspace.stopping.rung import RungStanding
from searchspace.storage.search_folder import JOURNAL
from searchspace.study.study import create_study, flush_study
from searchspace.study.trial_attributes import (
    record_config,
    record_pace,
    record_reason,
    record_report,
    record_stop,
)
from trainables.config import EpochReport, TrialConfig
from trainables.data.store.store import prepare

RUNGS = (2, 6, 18)
SHARES = (2 / 3, 2 / 9, 1 / 9)
"""Of all trials, those that end at each rung; the last is the full length."""
OPTUNA = """
import sys, optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
study = optuna.load_study(storage=JournalStorage(JournalFileBackend(sys.argv[1])), study_name=sys.argv[2])
print(study.trials_dataframe().sort_values("value", ascending=False).head(10).to_string())
"""


def write_search(spec: SearchSpec) -> None:
    """A finished search as its folder would hold it, with drawn scores."""
    lite0 = "tf_efficientnet_lite0"
    task = Task(data=prepare(spec.data), models=("convnet", lite0), pretrained=frozenset({lite0}), gpu=False)
    study = create_study(spec, optuna.samplers.RandomSampler(seed=spec.seed))
    save_record(spec.folder, spec, {})
    rng = random.Random(spec.seed)
    for _ in range(spec.trials):
        trial = study.ask()
        record_config(trial, TrialConfig(**default_space(trial, task)), rng.getrandbits(31))
        train(study, trial, rng.choices(RUNGS, SHARES)[0], rng)
    flush_study(study)


def train(study: optuna.Study, trial: optuna.Trial, epochs: int, rng: random.Random) -> None:
    """Tell the study one trial's epochs and its end, as the searcher does."""
    for epoch in range(1, epochs + 1):
        report = EpochReport(
            trial=f"{trial.number:04d}", epoch=epoch, score=rng.random(), accuracy=rng.random(), val_loss=rng.random(),
            train_loss=rng.random(), seconds=rng.random(), total_seconds=epoch * rng.random(), parameters=124530,
            images_per_second=1e4 * rng.random(), micro_batch=64, wait_seconds=rng.random() / 10,
            status="complete" if epoch == RUNGS[-1] else "running",
        )  # fmt: skip
        record_report(trial, trial.number * RUNGS[-1] + epoch, report)
    record_pace(trial, report)
    if report.status == "complete":
        study.tell(trial, report.score)
        return
    standing = RungStanding(rung=epochs, value=report.objective_value, cutoff=0.9, rank=200, of=300)
    record_stop(trial, standing)
    record_reason(trial, standing.describe())
    study.tell(trial, state=optuna.trial.TrialState.PRUNED)


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
