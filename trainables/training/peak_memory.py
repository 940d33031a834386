"""Peak memory of a worker: of its GPU, or of its process."""

import contextlib
import ctypes
import gc
import re
from pathlib import Path

import torch


def forget_peak(device: torch.device) -> None:
    """Begin to measure anew."""
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
    """Bytes held at most since `forget_peak`; on a CPU resident ones, with what lies in shared pages; 0 if unknown."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_reserved(device))
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    except OSError:
        found = None
    return int(found[1]) * 1024 if found else 0
