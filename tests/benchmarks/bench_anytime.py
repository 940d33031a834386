"""How well a rung's score tells a full-length score, under several schedules and averages of weights.

    python tests/benchmarks/bench_anytime.py train --data digits [--configs 24] [--schedules cosine,…] [--part 0/2]
    python tests/benchmarks/bench_anytime.py report

`train` trains random configurations of the default space's convnet to full length under each schedule, one thread, no
Ray, and appends their curves to results/benchmarks/curves/DATA.jsonl; what is there already is not trained again, and
several processes may share the work. Fashion-MNIST and CIFAR-10 are cut to a subset drawn with a seed. `report`
compares (see anytime_figures.py), on the configurations that have every way. Seconds are CPU seconds of the process.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import anytime_figures
import numpy as np
import optuna
import torch
from anytime_ways import BRANCHES, FRESH, SCHEDULES, Watched

from searchspace.spaces import Task, default_space, draw_config
from tests.helpers.benchmarks.record import FOLDER, INTERVAL, write_record
from trainables.config import Assignment, TrialConfig
from trainables.data.store.store import Store, open_store, prepare_data
from trainables.workers.worker_context import ProcessGroup, WorkerContext

EPOCHS = 18
SCORED = (2, 3, 6, 9, 18)
"""Epochs after which averages are evaluated."""
RUNGS = (2, 6)
"""Epochs at which a trapezoid is cooled down."""
TRAIN, VAL = 2000, 1000
"""Largest subset."""
CURVES = FOLDER / "curves"


def subset(store: Store) -> Store:
    """At most `TRAIN` and `VAL` images of the splits, drawn with a seed."""
    rng = np.random.default_rng(0)
    drawn = [np.sort(rng.permutation(store.rows(split))[:most]) for split, most in (("train", TRAIN), ("val", VAL))]
    rows = np.concatenate(drawn)
    summary = store.summary.model_copy(update={"train": len(drawn[0]), "val": len(drawn[1])})
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/images.npy", store.images[rows])
        return Store(summary, np.load(f"{folder}/images.npy", mmap_mode="c"), store.labels[rows])


def draw_trials(place: WorkerContext, count: int) -> list[dict[str, Any]]:
    """Random hyperparameters of a convnet, each what a search of this data could have tried.

    `schedule` and `ema_decay` were dimensions of the space before this benchmark; they say what `SEARCHED` looks at.
    """
    task = Task(data=place.store.summary, models=("convnet",), pretrained=frozenset(), gpu=False)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = []
    for _ in range(count):
        trial = study.ask()
        draw_config(default_space, trial, task, {})
        trial.suggest_categorical("schedule", ["triangular", "cosine"])
        trial.suggest_categorical("ema_decay", [0.0, 0.9, 0.98])
        drawn.append(trial.params)
    return drawn


def config_of(params: dict[str, Any]) -> TrialConfig:
    """The configuration, without what the ways decide."""
    return TrialConfig(**{name: value for name, value in params.items() if name not in {"schedule", "ema_decay"}})


def train(place: WorkerContext, config: TrialConfig, number: int, schedule: str) -> dict[str, dict[str, list[Any]]]:
    """Curves by way: CPU seconds at each epoch's end, and the scores, None where none was taken."""
    with tempfile.TemporaryDirectory(prefix="bench-anytime-") as folder:
        task = Assignment(trial="t", kind="search", config=config, seed=number, max_epochs=EPOCHS, folder=folder)
        run = Watched(task, place, schedule)
    curves: dict[str, dict[str, list[Any]]] = {}

    def note(way: str, score: float, extra: float = 0.0) -> None:
        curve = curves.setdefault(way, {"seconds": [None] * EPOCHS, "score": [None] * EPOCHS})
        curve["score"][run.epochs - 1] = round(score, 4)
        curve["seconds"][run.epochs - 1] = round(run.cpu + extra, 2)

    branched = dict.fromkeys(BRANCHES, 0.0)
    while not run.done:
        note("raw", run.watch_epoch())
        if run.epochs in SCORED:
            for way, score in run.average_accuracies().items():
                name = way.split(",")[0]
                note(way, score, run.averages[name].seconds if name in run.averages else 0.0)
        for share in BRANCHES if schedule == "trapezoid" and run.epochs in RUNGS else ():
            score, fresh, seconds = run.cooled(share)
            branched[share] += seconds
            note(f"cooled {share:g}", score, branched[share])
            note(f"cooled {share:g}, {FRESH}", fresh, branched[share])
    for share, seconds in branched.items() if schedule == "trapezoid" else ():
        for end in ("", f", {FRESH}"):  # at the end the trapezoid cools down itself
            note(f"cooled {share:g}{end}", curves[f"raw{end}"]["score"][-1], seconds)
    return curves


def train_all(given: argparse.Namespace) -> None:
    """Append what is missing to the data's curves."""
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    name = Path(given.data).name.removesuffix("-mnist")
    files = {True: CURVES / f"{name}.jsonl", False: CURVES / f"{name}-averages.jsonl"}
    CURVES.mkdir(parents=True, exist_ok=True)
    place = WorkerContext.open(ProcessGroup(0, 1, torch.device("cpu")), subset(open_store(prepare_data(given.data))))
    part, parts = map(int, given.part.split("/"))
    lines = read(files[True])
    known = {(line["config"], line["way"]) for line in lines}
    trials = dict(enumerate(draw_trials(place, given.configs)))
    trials |= {line["config"]: line["params"] for line in lines if "params" in line}  # whatever the space is by now
    for schedule in given.schedules.split(","):
        for number in range(part, given.configs, parts):
            if (number, f"{schedule} raw") in known:
                continue
            curves = train(place, config_of(trials[number]), number, schedule)
            for way, curve in reversed(curves.items()):  # the raw one, by which the others are known, last
                line = {"data": name, "way": f"{schedule} {way}", "config": number}
                line |= {"params": trials[number]} if way == "raw" and schedule == "cosine" else {}
                with files[way == "raw"].open("a") as out:
                    out.write(json.dumps(line | packed(curve), separators=(",", ":")) + "\n")
            print(name, number, schedule, {way: curve["score"][-1] for way, curve in curves.items()}, flush=True)


def packed(curve: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """A curve without the epochs that were not scored; `epochs` lists the others, unless it is all."""
    epochs = [epoch for epoch, score in enumerate(curve["score"], start=1) if score is not None]
    kept = {name: [values[epoch - 1] for epoch in epochs] for name, values in curve.items()}
    return kept if len(epochs) == EPOCHS else {"epochs": epochs} | kept


def read(file: Path) -> list[dict[str, Any]]:
    """Lines of a curves file; none where there is none yet."""
    return [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []


def report() -> None:
    """Print the comparison and leave the record."""
    lines = [line for file in sorted(CURVES.glob("*.jsonl")) for line in read(file)]
    figures = anytime_figures.compare(lines)
    for name, found in figures.items():
        print(f"\n{name}\n{anytime_figures.table(found)}")
    settings: dict[str, Any] = {"epochs": EPOCHS, "train": TRAIN, "val": VAL, "threads": 1}
    settings["recorded"] = json.loads((CURVES / "origin.json").read_text())
    n = min(found["configurations"] for part in figures.values() for found in part["data"].values())
    print(write_record("bench_anytime", {"settings": settings, **figures}, ["report"], n=n, spread=INTERVAL))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["train", "report"])
    parser.add_argument("--data", default="digits")
    parser.add_argument("--configs", type=int, default=24)
    parser.add_argument("--schedules", default=",".join(SCHEDULES))
    parser.add_argument("--part", default="0/1")
    given = parser.parse_args()
    report() if given.what == "report" else train_all(given)


if __name__ == "__main__":
    main()
