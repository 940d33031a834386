"""A set larger than its memory budget: building its store, killing that and going on, and training from it.

    python tests/benchmarks/bench_streaming.py [--images 100000] [--repeats 3] [--epochs 2]

Generates 64-pixel JPEGs of 10 classes in parquet files. The store is built whole, and again with a SIGKILL half-way.
Then one network is trained with a budget that holds the images (resident) and with one that does not (streamed), in
turn, the order turning with each repeat, each in a process of its own that begins with the store out of the page cache.
Memory is sampled over each process and its children: private (RssAnon), and with mapped files (RssAnon + RssFile).
"""

import argparse
import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).parents[2]))

from streaming_child import CONFIG

from tests.helpers.benchmarks.record import summary, write_record

CHILD = Path(__file__).parent / "streaming_child.py"
CLASSES, SIDE, FILE_ROWS = 10, 64, 5000
BUDGETS = {"resident": 1e3, "streamed": 0.01}
"""GB that a worker's images may take."""


def generate(folder: Path, count: int) -> None:
    """Write `count` images: a pattern of 8 x 8 colours for each class, under as much noise again."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from PIL import Image

    patterns = np.random.default_rng(0).integers(0, 256, (CLASSES, 8, 8, 3))
    for number, first in enumerate(range(0, count, FILE_ROWS)):
        rng = np.random.default_rng([1, number])
        labels = rng.integers(0, CLASSES, min(FILE_ROWS, count - first))
        images = []
        for label in labels:
            pixels = (patterns[label] + rng.integers(0, 256, (8, 8, 3))) // 2
            picture = Image.fromarray(pixels.astype(np.uint8)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
            out = io.BytesIO()
            picture.save(out, "JPEG", quality=90)
            images.append({"bytes": out.getvalue(), "path": None})
        pq.write_table(pa.table({"image": images, "label": labels}), folder / f"train-{number:05d}.parquet")


class PeakMemory:
    """Largest memory of a process and its children together, in MB, sampled until it ends."""

    def __init__(self, process: psutil.Process) -> None:
        self.process = process
        self.private = self.with_files = self.largest_private = 0.0
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()

    def _watch(self) -> None:
        while self.process.is_running() and self.process.status() != psutil.STATUS_ZOMBIE:
            try:
                tree = [self.process, *self.process.children(recursive=True)]
            except psutil.NoSuchProcess:
                return
            sizes = [size for process in tree if (size := _sizes(process.pid))]
            self.private = max(self.private, sum(private for private, _ in sizes))
            self.with_files = max(self.with_files, sum(private + files for private, files in sizes))
            self.largest_private = max([self.largest_private, *(private for private, _ in sizes)])
            time.sleep(0.05)

    def figures(self) -> dict[str, float]:
        self.thread.join()
        return {
            "private_mb": self.private,
            "private_of_largest_process_mb": self.largest_private,
            "with_mapped_files_mb": self.with_files,
        }


def _sizes(pid: int) -> tuple[float, float] | None:
    """RssAnon and RssFile of a process, in MB; None when it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    found = dict(re.findall(r"(RssAnon|RssFile):\s+(\d+) kB", status))
    return (int(found["RssAnon"]) / 1024, int(found["RssFile"]) / 1024) if len(found) == 2 else None


def start(cache: Path, *arguments: object) -> subprocess.Popen[str]:
    """Start a child with its stores under `cache`."""
    return subprocess.Popen(
        [sys.executable, str(CHILD), *map(str, arguments)],
        stdout=subprocess.PIPE, text=True, env=os.environ | {"SEARCHSPACE_CACHE": str(cache)},
    )  # fmt: skip


def measure(cache: Path, *arguments: object) -> dict[str, Any]:
    """Run a child to its end: what it says, and its peak memory."""
    child = start(cache, *arguments)
    memory = PeakMemory(psutil.Process(child.pid))
    out = child.communicate()[0]
    if child.returncode:
        raise SystemExit(f"{' '.join(map(str, arguments))} failed")
    said: dict[str, Any] = json.loads(out.splitlines()[-1])
    return said | memory.figures()


def build_cut(cache: Path, origin: Path, count: int) -> dict[str, float]:
    """SIGKILL a build half-way; returns the seconds it had, and the share of images that it had finished."""
    from trainables.data.store.building.chunk import CHUNK_IMAGES

    started, finished = time.perf_counter(), 0
    child = start(cache, "build", origin)
    while finished < count / CHUNK_IMAGES / 2 and child.poll() is None:
        time.sleep(0.02)
        finished = sum(file.read_text().count("\n") for file in cache.glob("stores/*.building/finished"))
    child.send_signal(signal.SIGKILL)
    child.communicate()
    return {"killed_after_seconds": time.perf_counter() - started, "killed_at_share": finished * CHUNK_IMAGES / count}


def measure_building(folder: Path, count: int, repeat: int) -> tuple[dict[str, float], Path]:
    """Build whole, and killed and resumed; returns the figures, and the cache with the whole store."""
    whole_cache, cut_cache = folder / f"whole-{repeat}", folder / f"cut-{repeat}"
    whole = measure(whole_cache, "build", folder / "images")
    cut = build_cut(cut_cache, folder / "images", count)
    resumed = measure(cut_cache, "build", folder / "images")
    if resumed["fingerprint"] != whole["fingerprint"]:
        raise SystemExit(f"a resumed store differs: {resumed['fingerprint']}, {whole['fingerprint']}")
    subprocess.run(["rm", "-r", str(cut_cache)], check=True)
    figures = {key: whole[key] for key in whole if key not in {"fingerprint", "images"}} | cut
    saved = 1 - resumed["seconds"] / whole["seconds"]
    return figures | {
        "images_per_second": count / whole["seconds"],
        "resumed_seconds": resumed["seconds"],
        "share_of_time_saved_by_resuming": saved,
    }, whole_cache


def forget_pages(cache: Path) -> None:
    """Put a store out of the page cache."""
    for file in cache.glob("stores/*/images.npy"):
        with file.open("rb") as opened:
            os.fsync(opened.fileno())
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def measure_training(cache: Path, origin: Path, given: argparse.Namespace) -> dict[str, list[dict[str, Any]]]:
    """Train both ways in turn; they must end with the same figures."""
    runs: dict[str, list[dict[str, Any]]] = {way: [] for way in BUDGETS}
    for repeat in range(given.repeats):
        for way in list(BUDGETS)[:: 1 if repeat % 2 == 0 else -1]:
            forget_pages(cache)
            found = measure(cache, "train", origin, BUDGETS[way], given.epochs, given.threads)
            print(f"repeat {repeat + 1}  {way}: {json.dumps(found)}", flush=True)
            if found.pop("way") != way:
                raise SystemExit(f"the budget of {BUDGETS[way]} GB did not make it {way}")
            runs[way].append(found)
    ends = {json.dumps(run.pop("end")) for found in runs.values() for run in found}
    if len(ends) > 1 and runs["resident"][0]["device"] == "cpu":  # a GPU's sums have no fixed order
        raise SystemExit(f"resident and streamed end differently: {ends}")
    return runs


def summaries(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """n, median and spread of each number."""
    return {key: summary([float(run[key]) for run in runs]) for key in runs[0] if not isinstance(runs[0][key], str)}


def main() -> None:
    """Measure, print the ratio, leave the record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="of the training process")
    parser.add_argument("--name", default="bench_streaming", help="of the record")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-streaming-") as temporary:
        folder = Path(temporary)
        (folder / "images").mkdir()
        generate(folder / "images", given.images)
        built = []
        for repeat in range(given.repeats):
            figures, cache = measure_building(folder, given.images, repeat)
            print(f"repeat {repeat + 1}  build: {json.dumps(figures)}", flush=True)
            built.append(figures)
        runs = measure_training(cache, folder / "images", given)
    trained = {way: summaries(found) for way, found in runs.items()}
    ratios = [b["images_per_second"] / a["images_per_second"] for a, b in zip(*runs.values(), strict=True)]
    ratio = summary(ratios)
    print(f"streamed / resident images/s = {ratio['median']:.3f} ({ratio['least']:.3f} to {ratio['largest']:.3f})")
    settings = vars(given) | {"side": SIDE, "budgets_gb": BUDGETS, "network": CONFIG}
    settings |= {"store_mb": given.images * 3 * SIDE**2 / 2**20, "device": runs["resident"][0]["device"]}
    arguments = [f"--{key} {value}" for key, value in vars(given).items()]
    figures = {"settings": settings, "building": summaries(built), "training": trained, "streamed / resident": ratio}
    print(write_record(given.name, figures, arguments))


if __name__ == "__main__":
    main()
