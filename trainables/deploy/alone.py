"""Runs one ONNX file in a process that does nothing else: `python -m trainables.deploy.alone FILE` prints its cost.

The file gets one thread, and one raw image at a time. Every run is timed by the wall clock; the figure is the median of
the faster half of the runs, because whatever else the machine does can only slow a run down.
"""

import json
import re
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

WARM_SECONDS, SECONDS = 0.05, 0.3
"""Of runs that are not timed, and of runs that are."""
LEAST_RUNS, MOST_RUNS = 9, 2_000
"""Timed runs, however long or short one is."""


def run_alone(file: Path) -> dict[str, float]:
    """`latency_ms`, `runs` and `memory_mb` of an artefact with one input, `images` (batch, channels, height, width)."""
    import onnxruntime

    before = _peak_bytes()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    (taken,) = session.get_inputs()
    image = np.random.default_rng(0).integers(0, 256, (1, *taken.shape[1:]), dtype=np.uint8)

    def run() -> float:
        started = time.perf_counter()
        session.run(None, {taken.name: image})
        return time.perf_counter() - started

    _repeat(run, WARM_SECONDS, 1)
    times = sorted(_repeat(run, SECONDS, LEAST_RUNS))
    latency = statistics.median(times[: -(-len(times) // 2)])
    return {"latency_ms": 1e3 * latency, "runs": len(times), "memory_mb": (_peak_bytes() - before) / 1e6}


def _repeat(run: Callable[[], float], seconds: float, least: int) -> list[float]:
    """Seconds of each run, until `seconds` are over."""
    end = time.perf_counter() + seconds
    times: list[float] = []
    while len(times) < least or (time.perf_counter() < end and len(times) < MOST_RUNS):
        times.append(run())
    return times


def _peak_bytes() -> int:
    """Largest resident memory of this process so far; the system's own counter would remember its parent's, too."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    except OSError:
        found = None
    return 1024 * int(found[1]) if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    print(json.dumps(run_alone(Path(sys.argv[1]))))
