"""The device that a worker trains on: its precision, threads, and memory."""

import contextlib
import ctypes
import gc
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from trainables.workers.gang_resources import Precision

_precision: list[Precision] = ["auto"]
CONTAINER_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Where Linux says how many bytes a container may take, in its two generations of control groups."""


def set_threads(share: float) -> None:
    """Give this process its share of the cores."""
    threads = max(1, int(share))
    os.environ["OMP_NUM_THREADS"] = str(threads)
    torch.set_num_threads(threads)


@contextlib.contextmanager
def lent_threads(threads: int) -> Iterator[None]:
    """Give this process so many threads for a while, such as those of gangs that are idle; 0: as many as it has."""
    before = torch.get_num_threads()
    if threads:
        set_threads(threads)
    try:
        yield
    finally:
        set_threads(before)


def set_precision(choice: Precision) -> None:
    """Choose what this process trains in; `auto` is bf16 where it is native."""
    _precision[0] = choice


def uses_bf16(device: torch.device) -> bool:
    """Whether to train in bf16 there; emulated bf16 on an AVX2 CPU is some ten times slower than fp32."""
    if _precision[0] != "auto":
        return _precision[0] == "bf16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()  # torch 2.11 may not have it
    return bool(capabilities.get("avx512_bf16", False))


def precision(device: torch.device) -> str:
    """`bf16` (autocast) or `fp32`, for the records."""
    return "bf16" if uses_bf16(device) else "fp32"


def autocast(device: torch.device) -> Any:
    """Context in which forward passes run: bf16 autocast where it is native, else nothing."""
    return torch.autocast(device.type, torch.bfloat16, enabled=uses_bf16(device))


def evaluation_chunk(device: torch.device, pixels: int) -> int:
    """Images in one forward pass without gradients: `pixels` each; few large ones on a CPU, where more gain nothing."""
    most = 1024 if device.type == "cuda" else 512
    return max(16, min(most, (64 if device.type == "cuda" else 4) * 2**20 // max(1, pixels)))


def free_memory(device: torch.device) -> int:
    """Bytes that are free on `device`; for a CPU, what the host's kernel can still give within a container's limit."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        found = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    except FileNotFoundError:  # no Linux: all there is
        found = None
    available = int(found[1]) * 1024 if found else os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limits = [Path(file).read_text().strip() for file in CONTAINER_LIMITS if Path(file).is_file()]
    return min([available, *(int(limit) for limit in limits if limit.isdigit())])


def reset_peak_memory(device: torch.device) -> None:
    """Begin to measure the peak of memory again."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        return
    with contextlib.suppress(AttributeError, OSError):  # no glibc: what was freed may still count
        ctypes.CDLL(None).malloc_trim(0)
    with contextlib.suppress(OSError):  # no Linux, or not allowed: the peak is then the process's since its start
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory(device: torch.device) -> int:
    """Most bytes held since `reset_peak_memory`; on a CPU resident ones, shared pages included; 0 if unknown."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_reserved(device))
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    except OSError:
        found = None
    return int(found[1]) * 1024 if found else 0
