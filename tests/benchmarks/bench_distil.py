"""Distillation: one small student trained on labels, and on its teacher's answers, from the same seeds.

    python tests/benchmarks/bench_distil.py DATA [--train 10000] [--val 5000] [--teacher-width 32] [--teacher-epochs 12]
        [--width 8] [--epochs 10] [--patience 1,2] [--temperatures 1] [--seeds 6] [--scratch FOLDER]

DATA is what `--data` of a search takes, such as fashion-mnist or a folder of parquet files with CIFAR-10; a subset of
its training part, equally many of each class, is split into training and validation images. Teacher and students train
on the former and are compared on the latter; the test part is left alone. Every way has the same configuration, seed,
and so first weights, batches and augmentation; it differs in the loss alone. `--patience` multiplies the students'
epochs, labels' too. `--scratch` keeps what is trained for another run.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import torch
from subset import write_subset

from tests.helpers.benchmarks.record import summary, write_record
from trainables.config import Assignment, EpochReport, TrialConfig
from trainables.data.store.store import open_store, prepare_data
from trainables.export.weights import MODEL_INFO
from trainables.training import loop
from trainables.training.distillation import divergence
from trainables.training.trial_outputs import write_weights
from trainables.workers.worker_context import ProcessGroup, WorkerContext

T_95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571}
"""Student's t, 95 % two-sided, by the number of differences."""
COMMON = {
    "optimizer": "muon", "momentum": 0.6, "lr": 1e-2, "batch_size": 128, "weight_decay": 1e-2, "flip": "alternating",
    "label_smoothing": 0.1, "dropout": 0.1,
}  # fmt: skip
LABELS = "labels"
GAIN = "accuracy above labels', by seed"


def run(place: WorkerContext, task: Assignment, temperature: float = 0.0) -> tuple[EpochReport, loop.TrialRun]:
    """Train to the end; the last report, and the run."""
    loop.divergence = partial(divergence, temperature=temperature)
    found = loop.TrialRun(task, place)
    while not found.done:
        report = found.train_epoch()
    return report, found


def teach(place: WorkerContext, folder: Path, given: argparse.Namespace) -> float:
    """Train the teacher, unless it is there; its validation accuracy."""
    kept = folder / "accuracy.txt"
    if not (folder / MODEL_INFO).is_file() or not kept.is_file():
        config = TrialConfig(width=given.teacher_width, depth=3, augment_strength=0.2, **COMMON)
        task = Assignment(
            trial="teacher", kind="final", config=config, seed=1, max_epochs=given.teacher_epochs, folder=str(folder)
        )
        report, found = run(place, task)
        write_weights(folder, task, found)
        kept.write_text(str(report.accuracy))
    return float(kept.read_text())


def study(place: WorkerContext, scratch: Path, way: str, seed: int, epochs: int, width: int) -> dict[str, float]:
    """Train one student, unless that was done; how good it came to be, and how long that took."""
    taught, name = way != LABELS, f"width-{width}-{epochs}-epochs-{way}-{seed}"
    kept = scratch / f"{name}.json"
    if kept.is_file():
        return dict(json.loads(kept.read_text()))
    task = Assignment(
        trial=name, kind="final", config=TrialConfig(width=width, depth=2, **COMMON), seed=seed, max_epochs=epochs,
        folder=str(scratch / name), teacher=str(scratch / "teacher") if taught else "",
    )  # fmt: skip
    started = time.perf_counter()
    report, found = run(place, task, float(way) if taught else 0.0)
    found.close()
    seconds = time.perf_counter() - started
    figures = {"accuracy": report.accuracy, "val_loss": report.val_loss, "seconds": seconds}
    kept.write_text(json.dumps(figures))
    return figures


def interval(differences: Sequence[float]) -> dict[str, float]:
    """Mean of paired differences and its 95 % interval over seeds."""
    mean = statistics.fmean(differences)
    half = T_95[len(differences)] * statistics.stdev(differences) / len(differences) ** 0.5
    return {"mean": round(mean, 4), "low": round(mean - half, 4), "high": round(mean + half, 4)}


def compare(runs: dict[str, dict[int, list[dict[str, float]]]]) -> dict[str, Any]:
    """Every way at every length, beside labels at the same one."""
    figures: dict[str, Any] = {}
    for way, by_epochs in runs.items():
        for epochs, found in by_epochs.items():
            beside = runs[LABELS][epochs]
            name = LABELS if way == LABELS else f"temperature {way}"
            more = [own["accuracy"] - other["accuracy"] for own, other in zip(found, beside, strict=True)]
            figures[f"{name}, {epochs} epochs"] = {
                **{key: summary([each[key] for each in found]) for key in ("accuracy", "val_loss", "seconds")},
                GAIN: interval(more),
            }
    return figures


def main() -> None:
    """Measure, print, leave the record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    for name, default in (
        ("train", 10_000), ("val", 5_000), ("teacher-width", 32), ("teacher-epochs", 12), ("width", 8), ("epochs", 10),
        ("seeds", 6),
    ):  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--patience", default="1,2")
    parser.add_argument("--temperatures", default="1")
    parser.add_argument("--scratch", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="bench-distil-") as made:
        scratch = given.scratch or Path(made)
        if not (scratch / "data").is_dir():
            write_subset(given.data, {"train": given.train, "val": given.val, "test": 100}, scratch / "data")
        store = open_store(prepare_data(str(scratch / "data")))
        place = WorkerContext.open(ProcessGroup(0, 1, torch.device("cpu")), store)
        accuracy = teach(place, scratch / "teacher", given)
        print(f"teacher, {given.teacher_epochs} epochs: accuracy {accuracy:.4f}", flush=True)
        ways = [LABELS, *given.temperatures.split(",")]
        lengths = [given.epochs * int(times) for times in given.patience.split(",")]
        runs: dict[str, dict[int, list[dict[str, float]]]] = {way: {n: [] for n in lengths} for way in ways}
        for epochs in lengths:
            for seed in range(1, given.seeds + 1):
                for way in ways:
                    found = study(place, scratch, way, seed, epochs, given.width)
                    runs[way][epochs].append(found)
                    print(f"{epochs} epochs, seed {seed}, {way}: {found}", flush=True)
    figures = compare(runs)
    for name, found in figures.items():
        print(f"{name}: accuracy {found['accuracy']['median']:.4f}, {found[GAIN]}")
    settings = {key: value for key, value in vars(given).items() if key not in {"data", "scratch"}}
    facts = {"teacher's accuracy": accuracy, "student": {"width": given.width, "depth": 2, **COMMON}}
    arguments = ["DATA", *(f"--{key.replace('_', '-')} {value}" for key, value in settings.items())]
    name = f"bench_distil_{Path(given.data).name}" + ("_temperatures" if len(ways) > 2 else "")
    print(write_record(name, {"settings": settings, **facts, "ways": figures, "runs": runs}, arguments))


if __name__ == "__main__":
    main()
