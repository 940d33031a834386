"""Images a second in training: this project's step, a bare tensor loop, a DataLoader with torchvision's transforms.

    python tests/benchmarks/bench_step.py [--data digits] [--width 16] [--batch-size 128] [--epochs 6] [--repeats 7]

All train the same convnet with the same optimizer, precision and memory format, on one thread, in turn in one process.
The bare loop gathers from normalised tensors and knows no augmentation; against it stand this project's whole step
without and with augmentation. The DataLoader does a like augmentation image by image, as torchvision documents it, in
the training process and with a worker of its own; it and this project's step start afresh and train `--epochs`, so that
their validation accuracy can be compared. Then threads x slots: as many processes as slots train at the same time, and
their images a second are added up.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.helpers.benchmarks.record import summary, write_record
from trainables.augmentation import pixel_augmentations
from trainables.config import Assignment, TrialConfig
from trainables.data.store.store import Store, open_store, prepare_data
from trainables.models.build_model import build_model
from trainables.training.device import autocast
from trainables.training.loop import TrialRun
from trainables.training.optimizers import AdamW
from trainables.workers.worker_context import ProcessGroup, WorkerContext

CPU = torch.device("cpu")
STRENGTH = 0.3
SHAPES = ((2, 1), (1, 2), (1, 1))
"""Slots and threads of each, on two cores."""


class Images(Dataset[tuple[torch.Tensor, int]]):
    """Stored training images through torchvision's transforms, one by one."""

    def __init__(self, store: Store) -> None:
        self.images = torch.from_numpy(store.images[: store.summary.train])
        self.labels = store.labels[: store.summary.train].tolist()
        turn, move = STRENGTH * 30, STRENGTH * pixel_augmentations.SHIFT
        factor, colour = 1.35**STRENGTH, STRENGTH * pixel_augmentations.COLOUR
        self.transform = v2.Compose([
            v2.ToDtype(torch.float32, scale=True),
            v2.RandomAffine(turn, (move, move), (1 / factor, factor), 57 * STRENGTH * pixel_augmentations.SHEAR),
            v2.ColorJitter(colour, colour, colour if store.summary.channels == 3 else 0),
            v2.Normalize(store.summary.mean, store.summary.std),
            v2.RandomErasing(p=STRENGTH / 2, scale=(0.02, pixel_augmentations.ERASED_AREA)),
        ])  # fmt: skip

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        return self.transform(self.images[i]), self.labels[i]


def ours(config: TrialConfig, place: WorkerContext, epochs: int) -> Callable[[], tuple[float, float]]:
    """This project's trial: images a second of one more epoch, and its validation accuracy."""
    run = TrialRun(
        Assignment(trial="t", kind="search", config=config, seed=0, max_epochs=epochs, folder="/nonexistent"), place
    )

    def epoch() -> tuple[float, float]:
        report = run.train_epoch()
        return report.images_per_second, report.score

    return epoch


def by_hand(
    config: TrialConfig, store: Store, epochs: int, batches: Callable[[], Any]
) -> Callable[[], tuple[float, float]]:
    """A loop as one writes it over (inputs, labels) `batches`; images a second and validation accuracy."""
    torch.manual_seed(0)
    model = build_model(config, store.summary).to(memory_format=torch.channels_last)
    network = model.network
    optimizer = AdamW([p for p in network.parameters() if p.requires_grad], lr=config.lr, fused=True)
    steps = epochs * -(-store.summary.train // config.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, config.lr, total_steps=max(steps, 2), pct_start=0.1)
    rows = store.rows("val")

    def epoch() -> tuple[float, float]:
        network.train()
        started = time.perf_counter()
        for inputs, labels in batches():
            with autocast(CPU):
                logits = network(inputs.contiguous(memory_format=torch.channels_last))
            functional.cross_entropy(logits.float(), labels).backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            if schedule.last_epoch < schedule.total_steps - 1:
                schedule.step()
        speed = store.summary.train / (time.perf_counter() - started)
        network.eval()
        with torch.inference_mode(), autocast(CPU):
            found = network(model.preprocess(torch.from_numpy(store.images[rows]))).argmax(dim=1)
        return speed, float((found == torch.from_numpy(store.labels[rows])).float().mean())

    return epoch


def bare_batches(config: TrialConfig, store: Store) -> Callable[[], Any]:
    """Shuffled slices of tensors normalised beforehand."""
    model = build_model(config, store.summary)
    inputs = model.preprocess(torch.from_numpy(store.images[: store.summary.train]))
    labels = torch.from_numpy(store.labels[: store.summary.train])
    generator = torch.Generator().manual_seed(0)

    def batches() -> Any:
        for rows in torch.randperm(len(inputs), generator=generator).split(config.batch_size):
            yield inputs[rows], labels[rows]

    return batches


def loader(config: TrialConfig, store: Store, workers: int) -> Callable[[], Any]:
    """The DataLoader of PyTorch's own tutorial."""
    found = DataLoader(
        Images(store), config.batch_size, shuffle=True, num_workers=workers, persistent_workers=workers > 0
    )
    return lambda: found


def compare(store: Store, config: TrialConfig, epochs: int, repeats: int) -> dict[str, Any]:
    """All ways in turn, afresh for each repeat; their first epoch, which warms up, is left out of the speeds."""
    place = WorkerContext.open(ProcessGroup(0, 1, CPU), store)
    augmented = config.model_copy(update={"augment_strength": STRENGTH})
    ways: dict[str, Callable[[], Callable[[], tuple[float, float]]]] = {
        "bare loop": lambda: by_hand(config, store, epochs, bare_batches(config, store)),
        "searchspace, no augmentation": lambda: ours(config, place, epochs),
        "searchspace, augmentation": lambda: ours(augmented, place, epochs),
        "DataLoader": lambda: by_hand(config, store, epochs, loader(config, store, 0)),
        "DataLoader, 1 worker": lambda: by_hand(config, store, epochs, loader(config, store, 1)),
    }
    speeds: dict[str, list[float]] = {name: [] for name in ways}
    scores: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(repeats):
        runs = {name: make() for name, make in ways.items()}
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for _ in range(epochs):  # epoch by epoch in turn, so that a noisy moment strikes all
            for name, run in runs.items():
                found[name].append(run())
        for name, epochs_found in found.items():
            speeds[name].append(statistics.median(speed for speed, _ in epochs_found[1:]))
            scores[name].append(epochs_found[-1][1])
        print(f"repeat {repeat + 1}", {name: round(found[-1]) for name, found in speeds.items()}, flush=True)
    figures = {n: {"images_per_second": summary(speeds[n]), "accuracy": summary(scores[n])} for n in ways}

    def ratio(name: str, other: str) -> float:
        return statistics.median(a / b for a, b in zip(speeds[name], speeds[other], strict=True))

    plain, full = "searchspace, no augmentation", "searchspace, augmentation"
    best = max(("DataLoader", "DataLoader, 1 worker"), key=lambda name: statistics.median(speeds[name]))
    ratios = {
        "step without augmentation / bare loop": ratio(plain, "bare loop"),
        "whole step / bare loop": ratio(full, "bare loop"),
        "augmentation's share of the step": 1 - ratio(full, plain),
        "whole step / DataLoader": ratio(full, "DataLoader"),
        "whole step / better DataLoader": ratio(full, best),
    }
    return {"ways": figures, "ratios": ratios}


TOGETHER = """
import sys, torch
sys.path.insert(0, sys.argv[1])
import bench_step
torch.set_num_threads(int(sys.argv[2]))
store = bench_step.open_store(bench_step.prepare_data(sys.argv[3]))
config = bench_step.TrialConfig.model_validate_json(sys.argv[4])
run = bench_step.ours(config, bench_step.WorkerContext.open(bench_step.ProcessGroup(0, 1, bench_step.CPU), store), 1000)
run()
print("ready", flush=True)
sys.stdin.readline()
print(sum(run()[0] for _ in range(int(sys.argv[5]))) / int(sys.argv[5]))
"""


def together(data: str, config: TrialConfig, slots: int, threads: int, epochs: int) -> float:
    """Images a second of `slots` processes that train at the same time."""
    here = str(Path(__file__).parent)
    command = [sys.executable, "-c", TOGETHER, here, str(threads), data, config.model_dump_json(), str(epochs)]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(slots)
    ]
    for process in processes:
        if process.stdout is None or process.stdout.readline().strip() != "ready":
            raise SystemExit("a process could not start")
    for process in processes:
        if process.stdin is not None:
            process.stdin.write("go\n")
            process.stdin.flush()
    return sum(float(process.communicate()[0]) for process in processes)


def main() -> None:
    """Measure in turn, print the ratios, leave the record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", default="digits")
    parser.add_argument("--images", type=int, default=0, help="training images to use at most; 0 takes all")
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--repeats", type=int, default=7)
    given = parser.parse_args()
    torch.set_num_threads(1)
    store = open_store(prepare_data(given.data))
    if given.images:
        summary_ = store.summary.model_copy(update={"train": given.images, "val": min(2000, store.summary.val)})
        keep = [*range(given.images), *range(store.summary.train, store.summary.train + summary_.val)]
        store = Store(summary_, store.images[keep], store.labels[keep])
    config = TrialConfig(width=given.width, depth=2, batch_size=given.batch_size, lr=1e-2)
    figures = compare(store, config, given.epochs, given.repeats)
    augmented = config.model_copy(update={"augment_strength": STRENGTH})
    shapes: dict[str, list[float]] = {}
    for _ in range(given.repeats):
        for slots, threads in SHAPES:
            found = together(given.data, augmented, slots, threads, given.epochs if not given.images else 1)
            shapes.setdefault(f"{slots} slots x {threads} threads", []).append(found)
    figures["threads x slots, images_per_second"] = {name: summary(found) for name, found in shapes.items()}
    two, one = shapes["2 slots x 1 threads"], shapes["1 slots x 2 threads"]
    figures["ratios"]["two slots of one thread / one of two"] = statistics.median(
        a / b for a, b in zip(two, one, strict=True)
    )
    for name, value in figures["ratios"].items():
        print(f"{name} = {value:.3f}")
    name = store.summary.name
    settings = {"data": name, "train_images": store.summary.train, "network": config.model_dump()}
    options = {"--width": given.width, "--batch-size": given.batch_size, "--epochs": given.epochs}
    options |= {"--images": given.images, "--repeats": given.repeats, "--data": name}
    arguments = [f"{option} {value}" for option, value in options.items()]
    print(write_record(f"bench_step_{name}", {"settings": settings, **figures}, arguments))


if __name__ == "__main__":
    main()
