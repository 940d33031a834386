"""Benchmark of one exported file in a process of its own, which prints the cost as JSON.

Called as `python -m trainables.export.benchmark.benchmark_process`, with the user's own code as JSON in its input.

`limits` and `speed` both measure its latency, on one thread and one raw image at a time (`LATENCY_DEFINITION` in
`architecture_cost`); `limits` measures the growth of its memory as well, and `speed` batches on all cores.
"""

import json
import re
import resource
import statistics
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

WARM_UP_S, TIMED_S = 0.05, 0.3
"""Of runs that are not timed, and of runs that are."""
MIN_RUNS, MAX_RUNS = 9, 2_000
"""Timed runs, however long or short one is."""
THROUGHPUT_BATCHES = (32, 256)
"""Batch sizes of the throughputs."""
MAX_RUN_S = 1.0
"""Seconds that one run may take: a larger batch that would take longer has no throughput. It differs little then."""

Run = Callable[[NDArray[np.uint8]], Any]


def measure_limits(file: Path, shape: tuple[int, int, int]) -> dict[str, float]:
    """Latency, and `memory_mb` (growth), of a file on one thread, by images of `shape` (c, h, w)."""
    import_module("onnxruntime")  # its memory is not part of the growth
    before = _peak_bytes()
    found = measure_latency(load(file, 1), shape)
    return {**found, "memory_mb": (_peak_bytes() - before) / 1e6}


def measure_latency(run: Run, shape: tuple[int, int, int]) -> dict[str, float]:
    """`latency_ms`, `latency_p99_ms` and `runs` of `run`, which has one thread, by one image of `shape` (c, h, w)."""
    times = _timed(run, draw(1, shape), MIN_RUNS)
    faster = times[: -(-len(times) // 2)]
    return {
        "latency_ms": 1e3 * statistics.median(faster), "latency_p99_ms": 1e3 * float(np.quantile(times, 0.99)),
        "runs": len(times),
    }  # fmt: skip


def measure_speed(file: Path, shape: tuple[int, int, int], threads: int, batch_runs: int = 3) -> dict[str, Any]:
    """Fields of a `Speed`, for images of `shape` (c, h, w); batches run `batch_runs` times, on `threads` threads."""
    found: dict[str, Any] = {**measure_latency(load(file, 1), shape), "throughput": {}}
    run = load(file, threads)
    an_image = found["latency_ms"] / 1e3
    for batch in THROUGHPUT_BATCHES:
        if batch * an_image <= MAX_RUN_S or batch == THROUGHPUT_BATCHES[0]:
            an_image = statistics.median(_timed(run, draw(batch, shape), batch_runs)) / batch
            found["throughput"][batch] = 1 / an_image
        found.setdefault("memory_mb", _peak_bytes() / 1e6)  # before the largest batch, which is not served
    return found


def load(file: Path, threads: int) -> Run:
    """Function that runs a file on `threads` threads: an ONNX or `.pt2` file, or a classifier's folder eagerly."""
    return {".onnx": _load_onnx, ".pt2": _load_program}.get(file.suffix, _load_eager)(file, threads)


def draw(count: int, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Random images, uint8 (count, c, h, w)."""
    return np.random.default_rng(0).integers(0, 256, (count, *shape), dtype=np.uint8)


def _load_onnx(file: Path, threads: int) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    return lambda images: session.run(None, {"images": images})


def _load_program(file: Path, threads: int) -> Run:
    import torch

    torch.set_num_threads(threads)
    program = torch.export.load(file)
    device = next(iter(program.state_dict.values())).device
    module = program.module()

    def run(images: NDArray[np.uint8]) -> Any:
        with torch.inference_mode():
            return module(torch.from_numpy(images).to(device))[0].cpu()

    return run


def _load_eager(folder: Path, threads: int) -> Run:
    import torch

    from trainables.export.weights import read_classifier

    torch.set_num_threads(threads)
    classifier = read_classifier(folder)[0].to(memory_format=torch.channels_last)

    def run(images: NDArray[np.uint8]) -> Any:
        with torch.inference_mode():
            return classifier(torch.from_numpy(images))

    return run


def _timed(run: Run, images: NDArray[np.uint8], least: int) -> list[float]:
    """Seconds of each timed run after the warm-up, shortest first."""

    def once() -> float:
        started = time.perf_counter()
        run(images)
        return time.perf_counter() - started

    _repeat(once, WARM_UP_S, 1)
    return sorted(_repeat(once, TIMED_S, least))


def _repeat(once: Callable[[], float], seconds: float, least: int) -> list[float]:
    """Seconds of each run; runs for `seconds`, but at least `least` and at most `MAX_RUNS` times."""
    end = time.perf_counter() + seconds
    times: list[float] = []
    while len(times) < least or (time.perf_counter() < end and len(times) < MAX_RUNS):
        times.append(once())
    return times


def _peak_bytes() -> int:
    """Largest resident memory of this process so far; `getrusage` would count that of its parent, too."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    except OSError:
        found = None
    return 1024 * int(found[1]) if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _register_own_code(code: str) -> None:
    from trainables.custom.custom_code import CustomCode
    from trainables.custom.register import register

    register(CustomCode.model_validate_json(code))


def main(mode: str, file: str, shape: str, *numbers: str) -> None:
    """Print a measurement as JSON; `shape` is JSON too, `numbers` are the threads and the runs of a batch."""
    channels, height, width = json.loads(shape)
    taken = (channels, height, width)
    if Path(file).is_dir():
        _register_own_code(sys.stdin.read())
    if mode == "limits":
        print(json.dumps(measure_limits(Path(file), taken)))
    else:
        print(json.dumps(measure_speed(Path(file), taken, *map(int, numbers))))


if __name__ == "__main__":
    main(*sys.argv[1:])
