"""Records what configurations reach on several small data sets, for `build_portfolio.py`.

    python tests/benchmarks/record_portfolio.py --cifar10 FOLDER --hymenoptera FOLDER [--fashion fashion-mnist]

Each configuration is trained once on each set, in this process, on one thread. A line of
results/benchmarks/portfolio/records.jsonl is one training; what is there already is not trained again.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import optuna
import torch

from searchspace.spaces import Task, default_space, draw_config
from tests.benchmarks.subset import write_subset
from tests.helpers.benchmarks.budget_data import split_folder
from tests.helpers.repository import ROOT
from trainables.config import Assignment, TrialConfig
from trainables.data.data_options import DataOptions
from trainables.data.store.data_summary import DataSummary
from trainables.data.store.store import open_store, prepare_data
from trainables.training.start_training import start_training
from trainables.workers.worker_context import ProcessGroup, WorkerContext

FILE = ROOT / "results" / "benchmarks" / "portfolio" / "records.jsonl"
EPOCHS = 6
TRAIN, VAL = 300, 150
"""Images of each cut."""
SIDE = 48
"""Pixels to which photographs are stored."""
UNBALANCED = [80, 64, 48, 38, 29, 22, 16, 10, 8, 5]
"""Training images of each class of the unbalanced set."""
FEW = 12
"""Training images of each class of the set that has few."""
COUNT = 10
"""Configurations: the first one is the default."""
FAMILY = "convnet"
"""Frozen backbones need no portfolio: their heads are solved for. Fine-tuning one takes minutes a trial here."""
DEFAULT: dict[str, Any] = {
    "model": "convnet", "optimizer": "muon", "momentum": 0.6, "lr": 1e-2, "width": 16, "depth": 3, "dropout": 0.1,
    "activation": "relu", "batch_norm": True, "whiten": True, "weight_decay": 1e-2, "batch_size": 64,
    "label_smoothing": 0.1, "augment_strength": 0.2, "mixup": 0.0, "cutmix": 0.0, "flip": "alternating", "tta": True,
}  # fmt: skip


def write_sets(sources: Mapping[str, str], root: Path) -> dict[str, str]:
    """Write all sets below `root`, unless they are there; their folders by name."""
    cuts = {
        "fashion": (sources["fashion"], {"train": TRAIN, "val": VAL, "test": 20}),
        "cifar10": (sources["cifar10"], {"train": TRAIN, "val": VAL, "test": 20}),
        "unbalanced": (sources["cifar10"], {"train": UNBALANCED, "val": VAL, "test": 20}),
        "few": (sources["fashion"], {"train": FEW * 10, "val": VAL, "test": 20}),
    }
    found = {"digits": "digits"}
    for name, (origin, counts) in cuts.items():
        found[name] = str(root / name)
        if not (root / name).is_dir():
            write_subset(origin, counts, root / name)
    found["hymenoptera"] = str(root / "hymenoptera")
    if not (root / "hymenoptera").is_dir():
        split_folder(Path(sources["hymenoptera"]), root / "hymenoptera")
    return found


def draw_configs(data: DataSummary) -> list[dict[str, Any]]:
    """The default, and draws from the default space: the parameters of each."""
    task = Task(data=data, models=(FAMILY,), pretrained=frozenset(), gpu=False)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    found = [DEFAULT]
    while len(found) < COUNT:
        trial = study.ask()
        draw_config(default_space, trial, task, {})
        found.append(trial.params)
    return found


def train(config: dict[str, Any], context: WorkerContext, seed: int) -> dict[str, Any]:
    """Scores and seconds of one training, by epoch."""
    folder = tempfile.mkdtemp()
    run = start_training(
        Assignment(
            trial="t", kind="search", config=TrialConfig(**config), seed=seed, max_epochs=EPOCHS, folder=folder,
            checkpoint_seconds=1e6,
        ),
        context,
    )  # fmt: skip
    reports = []
    while not run.done:
        reports.append(run.train_epoch())
    run.close()
    shutil.rmtree(folder)
    return {
        "scores": [round(report.score, 5) for report in reports],
        "seconds": [round(report.total_seconds, 3) for report in reports],
        "shared": round(sum(report.shared_seconds for report in reports), 3),
    }


def record_all(folders: Mapping[str, str], known: set[tuple[str, str, int]]) -> Iterator[dict[str, Any]]:
    """Every training that is not `known`."""
    summaries = {name: prepare_data(place, options=DataOptions(store_side=SIDE)) for name, place in folders.items()}
    configs = draw_configs(summaries["cifar10"].model_copy(update={"train": 1024}))
    for name, data in summaries.items():
        context = WorkerContext.open(ProcessGroup(0, 1, torch.device("cpu")), open_store(data))
        facts = {"train": data.train, "side": data.side, "channels": data.channels, "classes": len(data.classes)}
        for number, config in enumerate(configs):
            if (name, FAMILY, number) not in known:
                print(name, number, flush=True)
                row = {"data": name, "family": FAMILY, "config": number, **facts, "params": config}
                yield row | train(config, context, seed=number)


def read_rows(file: Path = FILE) -> list[dict[str, Any]]:
    """All trainings that were recorded."""
    return [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []


def main() -> None:
    """Train what is missing, and append it."""
    parser = argparse.ArgumentParser()
    for name, default in (("cifar10", None), ("hymenoptera", None), ("fashion", "fashion-mnist")):
        parser.add_argument(f"--{name}", required=default is None, default=default)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "portfolio-sets")
    parser.add_argument("--file", type=Path, default=FILE)
    given = parser.parse_args()
    torch.set_num_threads(1)
    folders = write_sets({name: getattr(given, name) for name in ("cifar10", "hymenoptera", "fashion")}, given.work)
    given.file.parent.mkdir(parents=True, exist_ok=True)
    known = {(row["data"], row["family"], row["config"]) for row in read_rows(given.file)}
    for row in record_all(folders, known):
        with given.file.open("a") as file:
            file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
