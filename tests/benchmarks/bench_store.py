"""Seconds and bytes to build a store of whole images, beside one of centre squares.

    python tests/benchmarks/bench_store.py [--photos 600] [--repeats 5] [--cifar10 ../shared/data/cifar10]
        [--cifar-images 6000]

Makes seeded JPEGs of the usual sizes of photographs in class folders, and builds both stores of them at each side, in
turn, the order turning with each repeat, each in a process of its own and an empty cache. The first images of CIFAR-10,
which all have one size, have the same store either way: there the figure is what whole images cost those who need
none. Beside seconds stand those of the processors, which other work on the machine changes less.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.helpers.benchmarks.record import summary, write_record

CLASSES = 4
SIZES = ((480, 640), (640, 480), (426, 640), (375, 500), (768, 1024), (1024, 683), (500, 500), (600, 1600))
"""Heights and widths of the photographs, in pixels."""
SIDES = (32, 256, 512)
CIFAR_SIDE = 32
WAYS = {"whole": True, "square": False}
BUILD = """
import json, resource, sys, time
import sklearn.model_selection  # not measured: the same either way
from pathlib import Path
from trainables.data.data_options import DataOptions
from trainables.data.store.store import prepare_data

before, started = time.process_time(), time.perf_counter()
options = DataOptions(store_side=int(sys.argv[2]), keep_aspect=sys.argv[3] == "True")
data = prepare_data(sys.argv[1], options=options)
seconds = time.perf_counter() - started
usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
cpu = sum(used.ru_utime + used.ru_stime for used in usage) - before
size = sum(file.stat().st_size for file in Path(data.path).rglob("*.npy"))
images = data.train + data.val + data.test
found = {"seconds": seconds, "cpu_seconds": cpu, "megabytes": size / 1e6, "images": images}
print(json.dumps(found | {"whole": data.aspect_kept}))
"""


def make_photos(folder: Path, count: int) -> None:
    """Write seeded photographs: smooth colours under fine noise, which JPEG has to keep."""
    rng = np.random.default_rng(0)
    for number in range(count):
        height, width = SIZES[number % len(SIZES)]
        coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.int16)
        noise = rng.integers(-12, 13, (height, width, 1), dtype=np.int16)
        file = folder / f"class-{number // len(SIZES) % CLASSES}" / f"{number}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.clip(smooth + noise, 0, 255).astype(np.uint8)).save(file, quality=90)


def take_first(source: Path, folder: Path, count: int) -> None:
    """Write the first rows of each parquet file, of so many in all, in the shares of the files."""
    import pyarrow.parquet as pq

    tables = {file.name: pq.read_table(file) for file in sorted(source.glob("*.parquet"))}
    total = sum(len(table) for table in tables.values())
    for name, table in tables.items():
        pq.write_table(table.slice(0, len(table) * count // total), folder / name)


def build(origin: Path, side: int, keep_aspect: bool) -> dict[str, Any]:
    """Build a store in an empty cache: its seconds and its size."""
    with tempfile.TemporaryDirectory(prefix="bench-store-cache-") as cache:
        done = subprocess.run(
            [sys.executable, "-c", BUILD, str(origin), str(side), str(keep_aspect)],
            capture_output=True, text=True, check=True, env=os.environ | {"SEARCHSPACE_CACHE": cache},
        )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(origin: Path, side: int, repeats: int) -> dict[str, Any]:
    """Build both ways in turn; n, median and spread of each, and of the ratio of each pair."""
    runs: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    for repeat in range(repeats):
        for way in list(WAYS)[:: 1 if repeat % 2 == 0 else -1]:
            runs[way].append(build(origin, side, WAYS[way]))
            print(f"{origin.name} at {side}, repeat {repeat + 1}, {way}: {json.dumps(runs[way][-1])}", flush=True)
    figures: dict[str, Any] = {
        way: {
            "seconds": summary([run["seconds"] for run in found]),
            "cpu_seconds": summary([run["cpu_seconds"] for run in found]),
            "images_per_second": summary([run["images"] / run["seconds"] for run in found]),
            "megabytes": round(found[0]["megabytes"], 3),
            "images": found[0]["images"],
            "stored_whole": found[0]["whole"],
        }
        for way, found in runs.items()
    }
    for measure_name in ("seconds", "cpu_seconds"):
        pairs = zip(runs["whole"], runs["square"], strict=True)
        ratios = [whole[measure_name] / square[measure_name] for whole, square in pairs]
        figures[f"whole / square, {measure_name}"] = summary(ratios)
    figures["whole / square, bytes"] = round(runs["whole"][0]["megabytes"] / runs["square"][0]["megabytes"], 4)
    return figures


def main() -> None:
    """Measure, leave the record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--photos", type=int, default=600)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--cifar10", default="", help="folder of CIFAR-10's parquet files; left out without it")
    parser.add_argument("--cifar-images", type=int, default=6000, help="how many of them")
    parser.add_argument("--name", default="bench_store", help="of the record")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-store-") as temporary:
        photos = Path(temporary) / "photos"
        make_photos(photos, given.photos)
        found = {f"photographs, side {side}": measure(photos, side, given.repeats) for side in SIDES}
        if given.cifar10:
            cifar10 = Path(temporary) / "cifar10"
            cifar10.mkdir()
            take_first(Path(given.cifar10), cifar10, given.cifar_images)
            found[f"cifar10, side {CIFAR_SIDE}"] = measure(cifar10, CIFAR_SIDE, given.repeats)
    settings = {"photos": given.photos, "sizes": SIZES, "classes": CLASSES, "repeats": given.repeats}
    arguments = [f"--photos {given.photos}", f"--repeats {given.repeats}"]
    arguments += [f"--cifar10 CIFAR10 --cifar-images {given.cifar_images}"] if given.cifar10 else []
    print(write_record(given.name, {"settings": settings, **found}, arguments))


if __name__ == "__main__":
    main()
