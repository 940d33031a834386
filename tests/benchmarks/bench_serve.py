"""A served winner under load: images a second, latencies and lost requests, beside two other ways to serve it.

    python tests/benchmarks/bench_serve.py [--data digits] [--search results/NAME] [--seconds 30] [--repeats 3]

Serves the winner of a search (of one trial, made here, unless one is given) in three ways, each in turn and alone:
`searchspace serve`, the same with `--batch 1`, and `mlflow models serve` of the registered model. Clients on
the same machine, in one process with connections that stay open, send images of the data, one a request, and each sends
its next when the last is answered. The first two are sent PNG and JPEG files, which they decode; MLflow's server takes
pixels, which are decoded, fitted and written as JSON before the clock starts. An answer with another class than
onnxruntime's own is counted as wrong, and all but a 200 as dropped.
"""

import argparse
import asyncio
import io
import itertools
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2]))

from searchspace.prediction.find_model import find_model
from searchspace.spec import load_spec
from tests.helpers.benchmarks.record import percentile, summary, write_record
from tests.helpers.servers.mlflow_server import free_port, serving_model
from tests.helpers.servers.service import served
from trainables.data.decoding.decode import decode
from trainables.data.sources.source_registry import open_source
from trainables.export.predictor import PROBABILITIES, Predictor

CLIENTS = (1, 32)
WARMUP = 3.0
"""Seconds of requests before the clock starts."""
IMAGES = 200
PORT = free_port()


@dataclass(frozen=True)
class Sample:
    """One image, as each way is sent it, and what it is."""

    encoded: bytes
    pixels: bytes
    winner: int


@dataclass
class Load:
    """What came of some requests at one number of clients."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    dropped: int = 0
    wrong: int = 0

    @property
    def rate(self) -> float:
        """Images a second."""
        return len(self.latencies) / self.seconds

    @property
    def batch(self) -> float:
        """Mean size of a batch: each answer tells its own, so a batch of n tells it n times."""
        return len(self.batches) / math.fsum(1 / size for size in self.batches) if self.batches else 1.0


def make_search(data: str, results: Path) -> Path:
    """A finished search of one short trial."""
    options = ["--trials", "1", "--max-epochs", "3", "--grace-epochs", "1", "--finalists", "1", "--final-seeds", "1"]
    options += ["--models", "convnet", "--name", "served", "--results", str(results)]
    subprocess.run([sys.executable, "-m", "searchspace.run", "--data", data, *options], check=True)
    return results / "served"


def make_samples(data: str, runner: Predictor) -> list[Sample]:
    """Images of the data, every other one a JPEG."""
    part, (channels, height, width) = open_source(data).parts["train"], runner.shape
    rows = np.random.default_rng(0).choice(len(part.labels), IMAGES, replace=False)
    samples = []
    for number, row in enumerate(map(int, rows)):
        out = io.BytesIO()
        Image.fromarray(part.decode(row).squeeze()).save(out, "JPEG" if number % 2 else "PNG", quality=92)
        image = decode(out.getvalue(), str(row), (height, width, channels)).transpose(2, 0, 1)[None]
        body = json.dumps({"inputs": {"images": image.tolist()}}).encode()
        samples.append(Sample(out.getvalue(), body, int(np.argmax(runner.probabilities(image)))))
    return samples


class Served:
    """This project's service."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder, self.options = folder, options

    @contextmanager
    def address(self) -> Iterator[str]:
        with served(self.folder, *self.options) as service:
            yield f"{service.url}/predict?top=1"

    def request(self, sample: Sample) -> tuple[bytes, str]:
        return sample.encoded, "image/*"

    def read(self, answer: dict[str, Any], classes: tuple[str, ...]) -> tuple[int, int]:
        (found,) = answer["predictions"]
        return classes.index(found["classes"][0]["class"]), int(found["batch"])


class ServedByMlflow:
    """`mlflow models serve` of the registered model."""

    def __init__(self, folder: Path) -> None:
        subprocess.run([sys.executable, "-m", "searchspace.tracking", str(folder)], check=True)
        self.store = f"sqlite:///{folder.resolve().parent / 'mlflow.db'}"
        self.model = f"models:/searchspace-{load_spec(folder).name}@champion"

    @contextmanager
    def address(self) -> Iterator[str]:
        with serving_model(self.model, self.store, PORT) as address:
            yield f"{address}/invocations"

    def request(self, sample: Sample) -> tuple[bytes, str]:
        return sample.pixels, "application/json"

    def read(self, answer: dict[str, Any], classes: tuple[str, ...]) -> tuple[int, int]:
        return int(np.argmax(answer["predictions"][PROBABILITIES][0])), 1


async def press(
    way: Any, url: str, samples: list[Sample], classes: tuple[str, ...], clients: int, seconds: float
) -> Load:
    """Requests by so many clients, one after another each, for so many seconds."""
    load, numbers = Load(), itertools.count()
    end = time.perf_counter() + seconds

    async def client(session: aiohttp.ClientSession) -> None:
        while time.perf_counter() < end:
            sample = samples[next(numbers) % len(samples)]
            body, kind = way.request(sample)
            begun = time.perf_counter()
            try:
                async with session.post(url, data=body, headers={"Content-Type": kind}) as answer:
                    content = await answer.read()
            except aiohttp.ClientError:
                load.dropped += 1
                continue
            if answer.status != 200:
                load.dropped += 1
                continue
            load.latencies.append(1e3 * (time.perf_counter() - begun))
            winner, batch = way.read(json.loads(content), classes)
            load.wrong += winner != sample.winner
            load.batches.append(batch)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=clients)) as session:
        begun = time.perf_counter()
        await asyncio.gather(*(client(session) for _ in range(clients)))
        load.seconds = time.perf_counter() - begun
    return load


def describe(loads: list[Load]) -> dict[str, Any]:
    """What is recorded of one way at one number of clients."""
    return {
        "images_per_second": summary([load.rate for load in loads]),
        "p50_ms": summary([percentile(load.latencies, 50) for load in loads]),
        "p99_ms": summary([percentile(load.latencies, 99) for load in loads]),
        "mean_batch": summary([load.batch for load in loads]),
        "requests": sum(len(load.latencies) + load.dropped for load in loads),
        "dropped": sum(load.dropped for load in loads),
        "wrong": sum(load.wrong for load in loads),
    }


def compare(ways: dict[str, Any], samples: list[Sample], classes: tuple[str, ...], given: argparse.Namespace) -> Any:
    """What came of each way, at each number of clients, in each repeat; the order of ways turns."""
    loads: dict[tuple[str, int], list[Load]] = {(way, clients): [] for way in ways for clients in CLIENTS}
    for repeat in range(given.repeats):
        for name in list(ways)[:: 1 if repeat % 2 == 0 else -1]:
            with ways[name].address() as url:
                asyncio.run(press(ways[name], url, samples, classes, max(CLIENTS), WARMUP))
                for clients in CLIENTS:
                    load = asyncio.run(press(ways[name], url, samples, classes, clients, given.seconds))
                    loads[name, clients].append(load)
                    print(
                        f"{name}, {clients} clients: {load.rate:.0f} images/s, batches of {load.batch:.1f}", flush=True
                    )
    return loads


def main() -> None:
    """Serve in turn, press, print, leave the record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", default="digits")
    parser.add_argument("--search", default="", help="a finished search of that data; empty: a short one is made")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each repeat, way and number of clients")
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-serve-") as name:
        folder = Path(given.search) if given.search else make_search(given.data, Path(name) / "results")
        runner = Predictor(find_model(folder))
        samples = make_samples(given.data, runner)
        ways = {"serve": Served(folder), "batch 1": Served(folder, "--batch", "1"), "mlflow": ServedByMlflow(folder)}
        loads = compare(ways, samples, runner.classes, given)
        figures: dict[str, Any] = {"model": find_model(folder).name, "shape": runner.shape, "seconds": given.seconds}
    for (way, clients), found in loads.items():
        figures.setdefault(way, {})[f"{clients} clients"] = describe(found)
    for clients in (f"{count} clients" for count in CLIENTS):
        rates = {way: figures[way][clients]["images_per_second"]["median"] for way in ways}
        figures[clients] = {
            f"times {way}": round(rates["serve"] / rate, 2) for way, rate in rates.items() if way != "serve"
        }
        print(clients, figures[clients])
    arguments = f"--data {Path(given.data).name} --seconds {given.seconds:g} --repeats {given.repeats}"
    print(write_record("bench_serve", figures, [arguments]))


if __name__ == "__main__":
    main()
