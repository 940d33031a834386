"""The default convnet trial: validation accuracy after some seconds of training on all cores.

    python tests/benchmarks/bench_convnet.py --data cifar10 [--seconds 120] [--repeats 3] [--ablate]

The trial is the default space's first one, through `TrialRun` itself, as many epochs as its measured speed fits into
the time; its seconds include set-up and the scoring of every epoch. `--ablate` changes one choice at a time, at the
same number of epochs.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import torch

from searchspace.preparation.first_trials import default_trials
from searchspace.spaces import Task
from tests.helpers.benchmarks.record import summary, write_record
from trainables.config import Assignment, TrialConfig
from trainables.data.loading.epoch_plan import batch_count
from trainables.data.store.store import open_store, prepare_data
from trainables.training.device import precision, set_threads
from trainables.training.loop import TrialRun
from trainables.workers.worker_context import ProcessGroup, WorkerContext

PROBED_BATCHES = 40
ABLATIONS: dict[str, dict[str, Any]] = {
    "learnt first layer": {"whiten": False},
    "random flips": {"flip": "random"},
    "no flips": {"flip": "none", "tta": False},
    "no tta": {"tta": False},
    "AdamW": {"optimizer": "adamw"},
    "SGD": {"optimizer": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 5e-4},
}


def default_config(place: WorkerContext) -> TrialConfig:
    """The first convnet that the default space's search tries."""
    gpu = place.group.device.type == "cuda"
    task = Task(data=place.store.summary, models=("convnet",), pretrained=frozenset(), gpu=gpu)
    return TrialConfig(**default_trials(task, {})[0])


def start_trial(place: WorkerContext, config: TrialConfig, epochs: int, seed: int) -> TrialRun:
    """A trial as a gang's worker starts it."""
    folder = tempfile.mkdtemp(prefix="bench-convnet-")
    return TrialRun(
        Assignment(trial="bench", kind="search", config=config, seed=seed, max_epochs=epochs, folder=folder), place
    )


def fitting_epochs(place: WorkerContext, config: TrialConfig, seconds: float) -> int:
    """Epochs that fit into `seconds`: two short ones are timed, the first to warm up."""
    run = start_trial(place, config, 2, seed=0)
    whole = len(run.rows)
    run.rows = run.rows[: PROBED_BATCHES * config.batch_size]
    run.steps_an_epoch = batch_count(len(run.rows), config.batch_size)
    run.train_epoch()
    report = run.train_epoch()
    scoring = report.seconds - len(run.rows) / report.images_per_second
    return max(1, int(seconds / (whole / report.images_per_second + scoring)))


def run_trial(place: WorkerContext, config: TrialConfig, epochs: int, seed: int) -> dict[str, float]:
    """Train a whole trial; its validation accuracy, images seen and seconds."""
    started = time.perf_counter()
    run = start_trial(place, config, epochs, seed)
    while not run.done:
        report = run.train_epoch()
    return {"accuracy": report.score, "images": epochs * len(run.rows), "seconds": time.perf_counter() - started}


def error_ratio(found: list[dict[str, float]], base: list[dict[str, float]]) -> float:
    """Median error rate of `found` divided by that of `base`."""
    medians = [1 - summary([run["accuracy"] for run in runs])["median"] for runs in (found, base)]
    return round(medians[0] / max(medians[1], 1e-9), 3)


def main() -> None:
    """Measure, print accuracies and ratios, leave the record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--ablate", action="store_true")
    given = parser.parse_args()
    set_threads(len(os.sched_getaffinity(0)))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    place = WorkerContext.open(ProcessGroup(0, 1, device), open_store(prepare_data(given.data)))
    config, data = default_config(place), place.store.summary
    epochs = fitting_epochs(place, config, given.seconds)
    base = config.model_dump()
    ablations = {name: change for name, change in ABLATIONS.items() if given.ablate and base | change != base}
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in ("convnet", *ablations)}
    for seed in range(given.repeats):
        runs["convnet"].append(run_trial(place, config, epochs, seed))
        for name, change in ablations.items():
            # Validated anew, for a change may be out of range.
            runs[name].append(run_trial(place, TrialConfig(**(base | change)), epochs, seed))
        for name, found in runs.items():
            print(f"seed {seed}  {name:20s} {found[-1]}", flush=True)
    ratios = {name: error_ratio(found, runs["convnet"]) for name, found in runs.items() if name != "convnet"}
    for name, ratio in ratios.items():
        print(f"error rate of {name} / error rate of convnet = {ratio}")
    figures = {name: {key: summary([run[key] for run in found]) for key in found[0]} for name, found in runs.items()}
    settings = {
        "data": data.name, "split": "val", "images": data.val, "device": device.type, "precision": precision(device),
        "threads": torch.get_num_threads(), "epochs": epochs, "config": base, "ablations": ablations,
    }  # fmt: skip
    arguments = [f"--data {data.name}", f"--seconds {given.seconds:g}", f"--repeats {given.repeats}"]
    print(
        write_record(
            f"bench_convnet_{data.name}",
            {"settings": settings, "runs": figures, "error_ratios": ratios},
            arguments + ["--ablate"] * given.ablate,
        )
    )


if __name__ == "__main__":
    main()
