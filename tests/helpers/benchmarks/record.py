"""One figure's record: the command, the machine, the versions, n, median and spread."""

import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from searchspace.preparation.record import collect_facts
from tests.helpers.repository import ROOT

FOLDER = ROOT / "results" / "benchmarks"
FLAGS = (
    "avx", "avx2", "fma", "avx_vnni", "avx512f", "avx512bw", "avx512vl", "avx512_vnni", "avx512_bf16", "avx512_fp16",
    "amx_tile", "amx_int8", "amx_bf16", "asimd", "asimddp", "bf16", "i8mm", "sve",
)  # fmt: skip
"""Instruction sets that decide how fast networks train and run, as Linux names them."""
CODE = (".", ":(exclude)results", ":(exclude)*.md")
RANGE, INTERVAL, SHARE, ONCE = "least to largest", "95 % interval", "binomial, shares of n", "measured once"
"""What the spread in a record is."""


def write_record(
    name: str, figures: dict[str, Any], arguments: list[str], n: int | None = None, spread: str = ""
) -> Path:
    """Write `results/benchmarks/NAME.json`.

    `n` is how often the whole was measured; by default the least `n` of the summaries in `figures`, or once where there
    are none. `spread` says what spread the figures have; by default, what they look like.
    """
    facts = collect_facts()
    facts["command"] = " ".join(["python", f"tests/benchmarks/{Path(sys.argv[0]).name}", *arguments])
    facts |= {"git_commit": COMMIT, "started": STARTED}
    facts["machine"] |= machine_details()
    n = min(counts_in(figures), default=1) if n is None else n
    facts |= {"n": n, "spread": (spread or spread_in(figures)) if n > 1 else ONCE}
    FOLDER.mkdir(parents=True, exist_ok=True)
    file = FOLDER / f"{name}.json"
    file.write_text(json.dumps({**facts, "figures": figures}, indent=1) + "\n")
    return file


def counts_in(figures: Any) -> Iterator[int]:
    """Every `n` in nested figures."""
    return (value for key, value in nodes(figures) if key == "n" and isinstance(value, int))


def spread_in(figures: Any) -> str:
    """What the spread is that nested figures have."""
    keys = {key for key, _ in nodes(figures)}
    if {"least", "largest"} <= keys:
        return RANGE
    return INTERVAL if "plus_minus" in keys or {"low", "high"} <= keys else SHARE


def nodes(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Every value in nested figures, with its key."""
    yield key, value
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        yield from nodes(part, str(name))


def measured_commit() -> str:
    """The commit whose code was measured, with `+changes` where code differs from it; records and texts are no code."""
    commit = _git("rev-parse", "HEAD")
    return commit + ("+changes" if _git("status", "--porcelain", "--untracked-files=no", "--", *CODE) else "")


def machine_details() -> dict[str, Any]:
    """Memory, instruction sets, GPU and load of this machine: what `searchspace.preparation.record` leaves out."""
    found = set()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, values = line.partition(":")
        if name.strip() in {"flags", "Features"}:
            found |= set(values.split())
    gpu = {"gpu": found_gpu} if (found_gpu := gpu_name()) else {}
    return gpu | {
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "cpu_flags": [flag for flag in FLAGS if flag in found],
        "load_average_before": LOAD,
    }


def gpu_name() -> str:
    """Name of the first NVIDIA card; empty where there is none."""
    if shutil.which("nvidia-smi") is None:
        return ""
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.splitlines()[0].strip() if done.returncode == 0 and done.stdout.strip() else ""


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


COMMIT, LOAD = measured_commit(), [round(load, 2) for load in os.getloadavg()]
STARTED = datetime.now(UTC).isoformat(timespec="seconds")
"""All three as they are when the benchmark begins."""


def summary(values: list[float]) -> dict[str, float]:
    """n, median, least and largest of repeated measurements."""
    return {
        "n": len(values),
        "median": round(statistics.median(values), 4),
        "least": round(min(values), 4),
        "largest": round(max(values), 4),
    }


def percentile(values: list[float], percent: float) -> float:
    """Linear between the nearest ranks."""
    return float(np.percentile(values, percent))


def last_json(text: str) -> dict[str, Any]:
    """The last line that is a JSON object; Ray prints its own lines before and after."""
    found: dict[str, Any] = json.loads([line for line in text.splitlines() if line.startswith("{")][-1])
    return found
