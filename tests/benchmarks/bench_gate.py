"""What the gate takes, and what its figures are worth: seconds an architecture, spread, untrained against trained.

    python tests/benchmarks/bench_gate.py [--repeats 10] [--epochs 6]

Digits; every cost is measured through the same `BenchmarkClient` that a search uses, in a cache of its own. The spread
is that of one architecture measured again and again: on the idle machine, and beside one busy training thread a core.
The trained network is the same architecture after real training, exported as winners are; both are run in turn.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import torch

from tests.helpers.benchmarks.record import summary, write_record
from trainables.config import Assignment, TrialConfig
from trainables.data.store.data_summary import DataSummary
from trainables.data.store.store import open_store, prepare_data
from trainables.export.benchmark.architecture_benchmark import count_parameters, measure_file, perturb_weights
from trainables.export.benchmark.architecture_cost import (
    Architecture,
    ArchitectureCost,
    architecture_of,
    cache_file,
    describe_network,
)
from trainables.export.benchmark.benchmark_client import BenchmarkClient
from trainables.export.formats.onnx_format import export_onnx
from trainables.export.model_info import ModelInfo
from trainables.models.build_model import build_model, build_untrained
from trainables.training.loop import TrialRun
from trainables.workers.worker_context import ProcessGroup, WorkerContext

CONFIGS = [
    *(TrialConfig(width=width, depth=depth, tta=depth == 3) for width in (8, 16, 32) for depth in (2, 3, 4)),
    *(TrialConfig(model="resnet", width=16, depth=depth) for depth in (2, 3)),
]
BACKBONES = [TrialConfig(model="tf_efficientnet_lite0"), TrialConfig(model="resnet18")]
STEADY = TrialConfig(width=32, depth=3)
BUSY = """
import torch
torch.set_num_threads(1)
layer, images = torch.nn.Conv2d(3, 64, 3), torch.randn(64, 3, 32, 32)
while True:
    layer(images).sum().backward()
"""


def timed(meter: BenchmarkClient, architecture: Architecture) -> tuple[float, ArchitectureCost]:
    """Seconds until its cost is known, and the cost."""
    started = time.perf_counter()
    cost = meter.measure(architecture, "run")
    return time.perf_counter() - started, cost


def seconds_each(meter: BenchmarkClient, data: DataSummary) -> dict[str, Any]:
    """Seconds of the first measurement, of others, of backbones, and of all again from the cache."""
    first = timed(meter, architecture_of(TrialConfig(width=12), data))[0]
    small = [timed(meter, architecture_of(config, data)) for config in CONFIGS]
    backbones = {config.model: round(timed(meter, architecture_of(config, data))[0], 2) for config in BACKBONES}
    again = [1e3 * timed(meter, architecture_of(config, data))[0] for config in CONFIGS]
    costs = {describe_network(c): cost.model_dump() for c, (_, cost) in zip(CONFIGS, small, strict=True)}
    uncached = summary([seconds for seconds, _ in small])
    return {"first": round(first, 2), "uncached": uncached, "backbones": backbones, "cached_ms": summary(again)} | {
        "costs": costs
    }


def spread(meter: BenchmarkClient, data: DataSummary, repeats: int) -> dict[str, float]:
    """Of the latency of one architecture that is built, exported and run anew each time."""
    architecture, found = architecture_of(STEADY, data), []
    for _ in range(repeats):
        cache_file(architecture, "run").unlink(missing_ok=True)
        found.append(timed(meter, architecture)[1].latency_ms or 0.0)
    figures = summary(found)
    return figures | {"range_percent": round(100 * (figures["largest"] / figures["least"] - 1), 1)}


def trained_and_not(data: DataSummary, repeats: int, epochs: int, folder: Path) -> dict[str, Any]:
    """Cost of one architecture untrained, as the gate builds it, and after training; run in turn."""
    place = WorkerContext.open(ProcessGroup(0, 1, torch.device("cpu")), open_store(data))
    task = Assignment(trial="t", kind="search", config=STEADY, seed=0, max_epochs=epochs, folder=str(folder))
    run = TrialRun(task, place)
    while not run.done:
        report = run.train_epoch()
    trained = build_model(STEADY, data)
    trained.load_state_dict(run.averaged_state())
    found: dict[str, list[ArchitectureCost]] = {"untrained": [], "trained": []}
    networks = {"untrained": build_untrained(STEADY, data), "trained": trained}
    perturb_weights(networks["untrained"])
    for name, model in networks.items():
        card = ModelInfo(config=STEADY, seed=0, epochs=0, data=data, input=model.preprocess.spec)
        export_onnx(model.eval(), card, folder / f"{name}.onnx")
    shape = data.channels, data.height, data.width
    for _ in range(repeats):
        for name, model in networks.items():
            found[name].append(measure_file(folder / f"{name}.onnx", shape, count_parameters(model)))
    kinds = ("latency_ms", "memory_mb", "size_mb")
    figures = {n: {k: summary([getattr(c, k) for c in costs]) for k in kinds} for n, costs in found.items()}
    ratio = figures["trained"]["latency_ms"]["median"] / figures["untrained"]["latency_ms"]["median"]
    return figures | {"trained_accuracy": report.score, "latency_ratio": round(ratio, 4)}


def main() -> None:
    """Measure, print, leave the record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=6)
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="bench-gate-") as folder:
        os.environ["SEARCHSPACE_CACHE"] = folder
        data, meter = prepare_data("digits"), BenchmarkClient()
        figures = {"seconds": seconds_each(meter, data), "as_it_is": spread(meter, data, given.repeats)}
        busy = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(os.cpu_count() or 1)]
        time.sleep(8)  # until they have imported torch
        figures["beside_busy_threads"] = spread(meter, data, given.repeats)
        for process in busy:
            process.kill()
        meter.close()
        figures["training"] = trained_and_not(data, given.repeats, given.epochs, Path(folder))
    for name, values in figures.items():
        print(name, values)
    print(write_record("bench_gate", figures, [f"--repeats {given.repeats}", f"--epochs {given.epochs}"]))


if __name__ == "__main__":
    main()
