"""A frozen backbone's features computed once, against running the backbone in every epoch of every trial.

    python tests/benchmarks/bench_features.py --data FOLDER [--epochs 10] [--repeats 3]

The same trials of EfficientNet-Lite0 with a new head, in turn in one process: with features from the store's cache,
which the first trial on a node fills, and with the backbone run on every image in every epoch (and for each scoring).
Validation accuracy stands beside the seconds.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import torch

from tests.helpers.benchmarks.record import summary, write_record
from trainables.config import Assignment, TrialConfig
from trainables.data.store.store import open_store, prepare_data
from trainables.models.build_model import build_model
from trainables.models.classifier import Classifier
from trainables.training.device import precision
from trainables.training.loop import TrialRun
from trainables.training.partial.trained_part import TrainedPart
from trainables.workers.worker_context import ProcessGroup, WorkerContext

CONFIG = TrialConfig(model="tf_efficientnet_lite0", freeze="all", head_lr=1e-2, batch_size=32)


class Uncached(TrialRun):
    """A trial that runs its frozen backbone on every image in every epoch."""

    def _build(self) -> tuple[Classifier, int]:
        return build_model(CONFIG, self.context.store.summary), 0

    def _open_part(self) -> TrainedPart:
        return TrainedPart(self.model.network, self.context.images_of_one_shape, self.model.preprocess)


def train(kind: type[TrialRun], place: WorkerContext, epochs: int, seed: int) -> dict[str, float]:
    """One whole trial: seconds, set-up included, and its last validation accuracy."""
    folder = tempfile.mkdtemp(prefix="bench-features-")
    started = time.perf_counter()
    run = kind(Assignment(trial="t", kind="search", config=CONFIG, seed=seed, max_epochs=epochs, folder=folder), place)
    while not run.done:
        report = run.train_epoch()
    return {"seconds": time.perf_counter() - started, "accuracy": report.score}


def main() -> None:
    """Measure in turn, print the ratio, leave the record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    cpu = torch.device("cpu")
    torch.set_num_threads(1)
    place = WorkerContext.open(ProcessGroup(0, 1, cpu), open_store(prepare_data(given.data)))
    shutil.rmtree(place.store.path / "features", ignore_errors=True)
    runs: dict[str, list[dict[str, float]]] = {"filling the cache": [train(TrialRun, place, given.epochs, 0)]}
    print("filling the cache", runs["filling the cache"][0], flush=True)
    for seed in range(given.repeats):
        for name, kind in (("cached", TrialRun), ("backbone in every epoch", Uncached)):
            runs.setdefault(name, []).append(train(kind, place, given.epochs, seed))
            print(name, runs[name][-1], flush=True)
    figures: dict[str, Any] = {
        n: {key: summary([r[key] for r in found]) for key in found[0]} for n, found in runs.items()
    }
    pairs = zip(runs["backbone in every epoch"], runs["cached"], strict=True)
    speedup = statistics.median(slow["seconds"] / fast["seconds"] for slow, fast in pairs)
    print(f"backbone in every epoch / cached = {speedup:.1f}")
    name = place.store.summary.name
    settings = {"data": name, "train_images": place.store.summary.train, "epochs": given.epochs, "threads": 1}
    record = {"settings": settings | {"precision": precision(cpu), "config": CONFIG.model_dump()}, "ways": figures}
    arguments = [f"--data {name}", f"--epochs {given.epochs}", f"--repeats {given.repeats}"]
    print(write_record("bench_features", record | {"ratios": {"uncached / cached": speedup}}, arguments))


if __name__ == "__main__":
    main()
