"""Test accuracy by fit, and training images a second beside a store of centre squares.

    python tests/benchmarks/bench_fit.py [--hymenoptera ../shared/data/hymenoptera] [--seeds 5] [--repeats 5]

Accuracy: a small convnet on a made, seeded set of wide images whose class is the colour of their ends; and a head on
frozen EfficientNet-Lite0 on hymenoptera, each fit by each seed. Speed: one convnet's epochs from a store of whole
images and from one of centre squares, in turn; at 32 pixels all images are equal, so that both stores are the same.
"""

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import torch

from tests.helpers.benchmarks.record import summary, write_record
from tests.helpers.images.photos import write_photos
from tests.helpers.repository import ROOT
from trainables.config import Assignment, TrialConfig
from trainables.data.data_options import DataOptions
from trainables.data.loading.square_fit import FIT_KINDS
from trainables.data.loading.square_maker import images_as_seen
from trainables.data.store.store import open_store, prepare_data
from trainables.models.build_model import build_model
from trainables.training.evaluation import forward
from trainables.training.loop import TrialRun
from trainables.workers.worker_context import ProcessGroup, WorkerContext

CPU = ProcessGroup(0, 1, torch.device("cpu"))
WIDE = ((40, 120), (48, 144), (36, 90))
"""Heights and widths of the made wide images."""
PHOTOS = ((300, 400), (400, 300), (256, 384))
CONVNET = TrialConfig(width=8, depth=1, lr=1e-2, batch_size=32, input_size=32)
FROZEN = TrialConfig(model="tf_efficientnet_lite0", freeze="all", head_lr=1e-2, batch_size=32, weight_decay=1e-3)


def open_place(folder: Path, whole: bool = True) -> WorkerContext:
    """A worker with the data in `folder`, stored whole or as centre squares."""
    return WorkerContext.open(CPU, open_store(prepare_data(str(folder), options=DataOptions(keep_aspect=whole))))


def trained(place: WorkerContext, config: TrialConfig, seed: int, epochs: int) -> TrialRun:
    """A trial at its end."""
    folder = tempfile.mkdtemp(prefix="bench-fit-")
    run = TrialRun(
        Assignment(trial="t", kind="final", config=config, seed=seed, max_epochs=epochs, folder=folder), place
    )
    while not run.done:
        run.train_epoch()
    run.close()
    return run


def accuracies(place: WorkerContext, config: TrialConfig, seeds: int, epochs: int) -> dict[str, Any]:
    """Test accuracy by fit, over seeds."""
    permit = Path(tempfile.mkdtemp(prefix="bench-fit-")) / "permit"
    permit.touch()
    images, labels = place.store.open_test_stored(permit)
    found = {}
    for kind in FIT_KINDS:
        fitted = config.model_copy(update={"fit": kind})
        model = build_model(fitted, place.store.summary).eval()
        (seen,) = images_as_seen(images, np.arange(len(images)), model.fits)
        with torch.inference_mode():
            inputs = torch.cat([_features(model, part) for part in torch.from_numpy(seen).split(32)])
        runs = [trained(place, fitted, seed, epochs) for seed in range(seeds)]
        scores = [_accuracy(run, inputs, torch.from_numpy(seen), labels) for run in runs]
        found[kind] = summary(scores)
        print(place.store.summary.name, kind, found[kind], flush=True)
    return found


def _features(model: Any, images: torch.Tensor) -> torch.Tensor:
    features: torch.Tensor = forward(model.network.trunk, model.preprocess(images))
    return features


def _accuracy(run: TrialRun, features: torch.Tensor, images: torch.Tensor, labels: Any) -> float:
    """Of the averaged weights: a head's on the backbone's features, a whole network's on images."""
    run.averaged.eval()
    with torch.inference_mode():
        whole = run.learner is run.model.network
        logits = forward(run.averaged, run.model.preprocess(images) if whole else features)
    return float((logits.argmax(dim=1).numpy() == labels).mean())


def speeds(folder: Path, side: int, repeats: int) -> dict[str, Any]:
    """Training images a second from both stores, in turn, and with random parts; the first epoch is not counted."""
    config = CONVNET.model_copy(update={"input_size": side, "width": 4, "fit": "stretch"})
    places = {"whole": open_place(folder), "square": open_place(folder, whole=False)}
    configs = {"whole": config, "square": config.model_copy(update={"fit": "crop"})}
    if side > 32:
        places["parts"] = places["whole"]
        configs["parts"] = config.model_copy(update={"crop_scale": 0.35})
    found: dict[str, list[float]] = {way: [] for way in places}
    for repeat in range(repeats):
        for way in list(places)[:: 1 if repeat % 2 else -1]:
            run = trained(places[way], configs[way], repeat, 2)
            found[way].append(run.reports[-1].images_per_second)
    pairs = zip(found["whole"], found["square"], strict=True)
    figures: dict[str, Any] = {way: summary(rates) for way, rates in found.items()}
    figures["whole / square"] = summary([whole / square for whole, square in pairs])
    print(side, "pixels", {way: round(statistics.median(rates)) for way, rates in found.items()}, flush=True)
    return figures


def main() -> None:
    """Measure, print, leave the record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--hymenoptera", type=Path, default=ROOT.parent / "shared" / "data" / "hymenoptera")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SEARCHSPACE_CACHE"] = str(Path(folder) / "cache")
        wide = write_photos(Path(folder) / "wide", {"train": 120, "val": 30, "test": 60}, WIDE)
        equal = write_photos(Path(folder) / "equal", {"train": 400, "val": 20, "test": 20}, ((32, 32),))
        photos = write_photos(Path(folder) / "photos", {"train": 60, "val": 4, "test": 4}, PHOTOS, ".jpg")
        accuracy = {"wide images": accuracies(open_place(wide), CONVNET, given.seeds, 6)}
        rates = {"32": speeds(equal, 32, given.repeats)}
        rates |= {str(side): speeds(photos, side, given.repeats) for side in (128, 224)}
        if given.hymenoptera.is_dir():
            accuracy["hymenoptera"] = accuracies(open_place(given.hymenoptera), FROZEN, given.seeds, 20)
    arguments = [f"--seeds {given.seeds}", f"--repeats {given.repeats}"]
    figures = {"test accuracy": accuracy, "training images a second": rates, "threads": 1}
    print(write_record("bench_fit", figures, arguments))


if __name__ == "__main__":
    main()
