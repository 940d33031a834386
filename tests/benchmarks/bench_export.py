"""What shipping gains and loses: each format of trained networks beside eager PyTorch, in turn.

    python tests/benchmarks/bench_export.py --data path/to/cifar10 [--models convnet-32,resnet-32,...] [--rounds 5]

Each network is trained briefly on CIFAR-10's train + validation, shipped as a winner is (with its proof on all 10,000
test images), and then its files are measured again in turn, each time in a process of its own on all cores: so many
rounds, of which the medians count. Eager PyTorch runs in float32 and channels_last on the CPU, as do ONNX files; where
there is a GPU, it trains the networks and runs the float16 `.pt2`.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import torch

from tests.helpers.benchmarks.record import summary, write_record
from trainables.common.environment import core_count
from trainables.common.reporter import SilentReporter
from trainables.config import Assignment, TrialConfig
from trainables.data.store.store import open_store, prepare_data
from trainables.export.benchmark.architecture_benchmark import measure_speed
from trainables.export.exported_files import ExportRecord, Speed
from trainables.export.exporter import ExportRequest, export_classifier
from trainables.export.weights import read_classifier
from trainables.metrics.predictions import TEST_PERMIT
from trainables.training.device import set_threads
from trainables.training.loop import TrialRun
from trainables.training.trial_outputs import write_weights
from trainables.workers.worker_context import ProcessGroup, WorkerContext

USUAL = {"optimizer": "muon", "lr": 0.02, "batch_size": 256, "flip": "alternating"}
MODELS: dict[str, tuple[int, dict[str, Any]]] = {
    "convnet-32": (3, {"model": "convnet", "width": 32, "depth": 2}),
    "convnet-32-gelu": (3, {"model": "convnet", "width": 32, "depth": 2, "activation": "gelu"}),
    "convnet-32-tta": (3, {"model": "convnet", "width": 32, "depth": 2, "tta": True}),
    "convnet-64": (2, {"model": "convnet", "width": 64, "depth": 3}),
    "resnet-32": (2, {"model": "resnet", "width": 32, "depth": 2, "lr": 0.01}),
    "resnet-64": (1, {"model": "resnet", "width": 64, "depth": 2, "lr": 0.01}),
}
"""Epochs and configuration, by name."""


def train(place: WorkerContext, name: str, folder: Path) -> None:
    """Train one of `MODELS` into `folder`, as a winner."""
    epochs, config = MODELS[name]
    task = Assignment(
        trial="winner", kind="winner", config=TrialConfig.model_validate(USUAL | config), max_epochs=epochs, seed=0,
        folder=str(folder),
    )  # fmt: skip
    run = TrialRun(task, place)
    while not run.done:
        run.train_epoch()
    run.close()
    write_weights(folder, task, run)
    (folder / TEST_PERMIT).write_text("{}")


def measure(folder: Path, shipment: ExportRecord, rounds: int) -> dict[str, list[Speed]]:
    """Speeds of each format, in turn."""
    data = read_classifier(folder)[1].data
    found: dict[str, list[Speed]] = {artefact.format: [] for artefact in shipment.artefacts}
    for _ in range(rounds):
        for artefact in shipment.artefacts:
            file = folder if artefact.format == "pytorch" else folder / artefact.file
            found[artefact.format].append(measure_speed(file, (data.channels, data.height, data.width)))
    return found


def figures_of(shipment: ExportRecord, speeds: dict[str, list[Speed]]) -> dict[str, Any]:
    """Figures of each format, and what the goals are stated in."""
    figures: dict[str, Any] = {}
    for artefact in shipment.artefacts:
        found = speeds[artefact.format]
        figures[artefact.format] = {
            "latency_ms": summary([speed.latency_ms for speed in found]),
            "latency_p99_ms": summary([speed.latency_p99_ms for speed in found]),
            "images_per_second": {str(b): summary([s.throughput[b] for s in found]) for b in found[0].throughput},
            "memory_mb": summary([speed.memory_mb for speed in found]), "size_mb": artefact.size_mb,
            "note": artefact.note, **artefact.proof.model_dump(),
        }  # fmt: skip
    return figures | {"ratios": ratios(figures), "dropped": [each.model_dump() for each in shipment.dropped]}


def ratios(figures: dict[str, Any]) -> dict[str, float]:
    """Throughputs at 32 and 256 over eager's and float32 ONNX's, INT8's size over float32's, points lost."""
    found = {}
    for size in ("32", "256"):
        rate = {name: each["images_per_second"][size]["median"] for name, each in figures.items()}
        found |= {f"{name}_over_eager_{size}": rate[name] / rate["pytorch"] for name in rate if name != "pytorch"}
        if "onnx-int8" in rate:
            found[f"int8_over_onnx_{size}"] = rate["onnx-int8"] / rate["onnx"]
    if "onnx-int8" in figures:
        found["int8_size"] = figures["onnx-int8"]["size_mb"] / figures["onnx"]["size_mb"]
        found["int8_points_lost"] = 100 * (figures["pytorch"]["accuracy"] - figures["onnx-int8"]["accuracy"])
    return {name: round(value, 3) for name, value in found.items()}


def main() -> None:
    """Measure, print, leave the record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    set_threads(core_count())
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    place = WorkerContext.open(ProcessGroup(0, 1, device), open_store(prepare_data(given.data)))
    figures = {}
    with tempfile.TemporaryDirectory(prefix="bench-export-") as root:
        for name in given.models.split(","):
            folder = Path(root) / name
            train(place, name, folder)
            shipment = export_classifier(folder, ExportRequest(), SilentReporter())
            figures[name] = figures_of(shipment, measure(folder, shipment, given.rounds))
            print(name, figures[name]["pytorch"]["accuracy"], figures[name]["ratios"], flush=True)
    arguments = ["--data path/to/cifar10", f"--models {given.models}", f"--rounds {given.rounds}"]
    print(write_record("bench_export", figures, arguments))


if __name__ == "__main__":
    main()
