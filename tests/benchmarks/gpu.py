"""Everything that only a GPU can show, a record a part: results/benchmarks/gpu_PART.json.

    python tests/benchmarks/gpu.py --data path/to/cifar10 [--part trial,compile,packed,search] [--seeds 10] [--trials N]
    python tests/benchmarks/gpu.py --self-check     # every part, small, on a CPU too: shows that the script is complete

trial     a short CIFAR-10 trial of cifar10-airbench's size through `TrialRun`: validation accuracy over the seeds,
          seconds, and its share of the bf16 matmul rate that was measured on the same card
compile   the same trial plain, compiled, and compiled with CUDA graphs: seconds, compilation included
packed    the same small search with 1, 4, 8 and 16 trials on the card: trials a minute
search    a whole search with its finals, by the clock
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import torch
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from tests.helpers.benchmarks.account import read_account
from tests.helpers.benchmarks.record import summary, write_record
from trainables.config import Assignment, TrialConfig
from trainables.data.store.store import open_store, prepare_data
from trainables.training.device import autocast, precision, set_threads
from trainables.training.loop import TrialRun
from trainables.workers.worker_context import ProcessGroup, WorkerContext

AIRBENCH = {
    "model": "convnet", "width": 64, "depth": 3, "activation": "gelu", "optimizer": "muon", "momentum": 0.6, "lr": 1e-2,
    "batch_size": 1024, "warmup": 0.1, "label_smoothing": 0.2, "weight_decay": 1e-2,
    "flip": "alternating", "tta": True, "augment_strength": 0.1,
}  # fmt: skip
TESTED = re.compile(r"test, once, ([\d,]+) images: accuracy ([\d.]+)%")


@dataclass(frozen=True)
class Size:
    """How much of everything: the real thing, or the self-check."""

    data: str
    seeds: int
    epochs: int = 8
    config: dict[str, Any] | None = None
    matrix: int = 8192
    backend: str = "inductor"
    trials: int = 64
    packing: tuple[float, ...] = (1, 1 / 4, 1 / 8, 1 / 16)

    @property
    def trial(self) -> TrialConfig:
        """The trial that is measured."""
        return TrialConfig(**(AIRBENCH | (self.config or {})))


def small(seeds: int, gpu: bool) -> Size:
    """The self-check's size; without a GPU nothing is packed, and nothing compiled for one."""
    return Size(
        data="digits", seeds=seeds, epochs=1, config={"width": 8, "batch_size": 128, "flip": "none", "tta": False},
        matrix=256, backend="inductor" if gpu else "eager", trials=2, packing=(1, 1 / 2) if gpu else (0.0,),
    )  # fmt: skip


def settle(device: torch.device) -> None:
    """Wait for the device, so that the clock sees its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def start_trial(place: WorkerContext, size: Size, seed: int) -> TrialRun:
    folder = tempfile.mkdtemp(prefix="bench-gpu-")
    return TrialRun(
        Assignment(trial="bench", kind="search", config=size.trial, seed=seed, max_epochs=size.epochs, folder=folder),
        place,
    )


def timed_trial(
    place: WorkerContext, size: Size, seed: int, change: Callable[[TrialRun], None] = lambda _run: None
) -> dict[str, float]:
    """Train one trial; accuracy, seconds of everything, and seconds of training without set-up and scoring."""
    started = time.perf_counter()
    run = start_trial(place, size, seed)
    change(run)
    reports = []
    while not run.done:
        reports.append(run.train_epoch())
    settle(place.group.device)
    training = sum(len(run.rows) / report.images_per_second for report in reports)
    return {"accuracy": reports[-1].score, "seconds": time.perf_counter() - started, "training_seconds": training}


def matmul_rate(device: torch.device, side: int, repeats: int = 20) -> float:
    """Floating-point operations a second of bf16 products of matrices of this side: the best of three timings."""
    a, b = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    rates = []
    for _ in range(4):  # the first warms up, and is never the best
        started = time.perf_counter()
        for _ in range(repeats):
            a @ b
        settle(device)
        rates.append(2 * side**3 * repeats / (time.perf_counter() - started))
    return max(rates)


def flops_an_image(place: WorkerContext, size: Size) -> float:
    """Floating-point operations of one image's forward and backward pass."""
    run = start_trial(place, size, seed=0)
    rows = run.rows[: size.trial.batch_size]
    device = place.group.device
    images = torch.from_numpy(place.store.images[rows]).to(device)
    labels = torch.from_numpy(place.store.labels[rows]).to(device)
    with FlopCounterMode(display=False) as counter:
        with autocast(device):
            logits = run.model.train()(images)
        functional.cross_entropy(logits.float(), labels).backward()
    return counter.get_total_flops() / len(rows)


def measure_trial(place: WorkerContext, size: Size) -> dict[str, Any]:
    """Part (a)."""
    timed_trial(place, size, seed=0)  # warms up: kernels are chosen, the whitening is found
    runs = [timed_trial(place, size, seed) for seed in range(size.seeds)]
    figures: dict[str, Any] = {key: summary([run[key] for run in runs]) for key in runs[0]}
    rate, flops = matmul_rate(place.group.device, size.matrix), flops_an_image(place, size)
    done = flops * place.store.summary.train * size.epochs / figures["training_seconds"]["median"]
    return figures | {
        "mean_accuracy": sum(run["accuracy"] for run in runs) / len(runs),
        "flops_an_image": flops,
        "matmul_flops_a_second": rate,
        "share_of_matmul_rate": done / rate,
    }


def measure_compile(place: WorkerContext, size: Size) -> dict[str, Any]:
    """Part (b): each manner compiles anew once; `repeated` is a trial of the same shape in the same process."""
    modes = {"plain": None, "compiled": "default", "CUDA graphs": "reduce-overhead"}
    figures = {}
    for name, mode in modes.items():

        def change(run: TrialRun, mode: str | None = mode) -> None:
            if mode is not None:
                options = {"mode": mode} if size.backend == "inductor" else {}
                run.module = torch.compile(run.module, backend=size.backend, **options)

        torch.compiler.reset()
        figures[name] = {"first": timed_trial(place, size, 1, change), "repeated": timed_trial(place, size, 2, change)}
    return figures


def run_search(size: Size, gpus_per_worker: float, *options: object) -> dict[str, Any]:
    """A search in a process of its own, as its user starts it."""
    results = tempfile.mkdtemp(prefix="bench-gpu-")
    arguments = ["--data", size.data, "--trials", size.trials, "--results", results, "--name", "bench", *options]
    if gpus_per_worker:
        arguments += ["--gpus-per-worker", gpus_per_worker, "--max-concurrent", round(1 / gpus_per_worker)]
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "searchspace.run", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    wall = time.perf_counter() - started
    account, tested = read_account(done.stdout), TESTED.search(done.stdout)
    if done.returncode or account is None or tested is None:
        raise SystemExit(f"the search failed:\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}")
    warm = account["seconds"] - account["first_step"]
    return {
        "wall": wall,
        **account,
        "trials_a_minute": 60 * size.trials / warm,
        "test_accuracy": float(tested[2]) / 100,
    }


def measure_packed(size: Size) -> dict[str, Any]:
    """Part (c): networks too small to fill a card; every trial trains its two epochs, whatever it scores."""
    pins = ["--models", "convnet", "--set", "width=8", "--set", "batch_size=256"]
    epochs = ["--max-epochs", 2, "--grace-epochs", 2, "--finalists", 1, "--cpus-per-worker", 1]
    figures = {}
    for share in size.packing:
        figures[f"{share:g}"] = run_search(size, share, *pins, *epochs)
        print(f"packed, {share:g} of the card each: {figures[f'{share:g}']}", flush=True)
    serial = figures[f"{size.packing[0]:g}"]["trials_a_minute"]
    return figures | {"speed_up": {name: found["trials_a_minute"] / serial for name, found in figures.items()}}


def main() -> None:
    """Measure the chosen parts, leave the record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", default="cifar10")
    parser.add_argument("--part", default="trial,compile,packed,search")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--trials", type=int, default=64)
    parser.add_argument("--self-check", action="store_true")
    given = parser.parse_args()
    gpu = torch.cuda.is_available()
    if not given.self_check and not gpu:
        raise SystemExit("no GPU; --self-check runs every part small on a CPU")
    chosen = Size(data=given.data, seeds=given.seeds, trials=given.trials)
    size = small(min(2, given.seeds), gpu) if given.self_check else chosen
    device = torch.device("cuda" if gpu else "cpu")
    set_threads(len(os.sched_getaffinity(0)))
    torch.backends.cudnn.benchmark = True
    place = WorkerContext.open(ProcessGroup(0, 1, device), open_store(prepare_data(size.data)))
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "trial": lambda: measure_trial(place, size),
        "compile": lambda: measure_compile(place, size),
        "packed": lambda: measure_packed(size),
        "search": lambda: run_search(size, 0.0, *(["--max-epochs", 2] if given.self_check else [])),
    }
    for part in given.part.split(","):
        figures = parts[part]()
        print(f"{part}: {figures}", flush=True)
        if not given.self_check:
            print(write_record(f"gpu_{part}", {"settings": settings_of(place, size), **figures}, [
                f"--data {place.store.summary.name}", f"--part {part}", f"--seeds {size.seeds}",
                f"--trials {size.trials}",
            ]))  # fmt: skip


def settings_of(place: WorkerContext, size: Size) -> dict[str, Any]:
    """What was measured, and on which card."""
    device = place.group.device
    return {
        "data": place.store.summary.name, "split": "val", "device": torch.cuda.get_device_name(device),
        "precision": precision(device), "epochs": size.epochs, "config": size.trial.model_dump(),
    }  # fmt: skip


if __name__ == "__main__":
    main()
