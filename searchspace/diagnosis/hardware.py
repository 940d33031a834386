"""Devices, cores and memory, as processes of this container may use them."""

import os
from collections.abc import Iterator
from pathlib import Path

import psutil

from searchspace.cleaning.plan_cleaning import format_size
from searchspace.diagnosis.finding import Finding, State
from trainables.common.environment import core_count, cpu_name

SECTION = "Hardware"
GROUPS = Path("/sys/fs/cgroup")
"""Where Linux shows control groups, which limit a container."""
LITTLE_MEMORY = 2e9
"""Bytes of free memory below which trials may not fit."""
DRIVER = Path("/proc/driver/nvidia/version")


def find_hardware() -> Iterator[Finding]:
    """The processor and its cores, memory, GPUs, and what trains in bf16."""
    import torch

    from trainables.training.device import free_memory, uses_bf16

    yield Finding(SECTION, "processor", cpu_name())
    yield judge_cores(os.cpu_count() or 1, core_count(), core_quota(GROUPS, _own_group()))
    free = free_memory(torch.device("cpu"))
    limit = memory_limit(GROUPS, _own_group())
    yield judge_memory(free, psutil.virtual_memory().total, limit)
    native = uses_bf16(torch.device("cpu"))
    yield Finding(SECTION, "bf16 on CPU", "native" if native else "emulated, and slow; fp32 is used")
    yield from _gpus()


def judge_cores(all_cores: int, allowed: int, quota: float | None) -> Finding:
    """Cores of the machine, those that this process may run on, and what its control group may use of them."""
    limited = "no limit of the cgroup" if quota is None else f"the cgroup allows {quota:g}"
    said = f"{allowed} usable of {all_cores} (os.cpu_count()); {limited}"
    usable = min(allowed, quota or allowed)
    if usable < 1:
        return Finding(SECTION, "cores", said, State.WARNING, "give the container a whole core at least")
    return Finding(SECTION, "cores", said)


def judge_memory(free: float, total: float, limit: float | None) -> Finding:
    """Free memory in bytes, of all and of what the control group allows."""
    limited = "no limit of the cgroup" if limit is None else f"the cgroup allows {format_size(limit)}"
    said = f"{format_size(free)} free of {format_size(total)}; {limited}"
    if free < LITTLE_MEMORY:
        return Finding(SECTION, "memory", said, State.WARNING, "end other programs, or give --max-concurrent 1")
    return Finding(SECTION, "memory", said)


def _gpus() -> Iterator[Finding]:
    import torch

    driver = read_driver(DRIVER)
    if not torch.cuda.is_available():
        said = f"none that torch {torch.__version__} can use"
        if driver:
            yield Finding(
                SECTION, "GPU", f"{said}; NVIDIA's driver {driver} is there", State.WARNING,
                "install a torch built for CUDA and a driver that is new enough, and look at CUDA_VISIBLE_DEVICES",
            )  # fmt: skip
        else:
            yield Finding(SECTION, "GPU", said)
        return
    yield Finding(SECTION, "NVIDIA driver", f"{driver or 'unknown'}; torch is built for CUDA {torch.version.cuda}")
    for index in range(torch.cuda.device_count()):
        with torch.cuda.device(index):
            native = torch.cuda.is_bf16_supported(including_emulation=False)
        yield judge_gpu(index, torch.cuda.get_device_name(index), *torch.cuda.mem_get_info(index), native)


def judge_gpu(index: int, name: str, free: float, total: float, native: bool) -> Finding:
    """A GPU: its name, free memory of all, in bytes, and whether it computes in bf16."""
    bf16 = "native" if native else "emulated; fp32 is used"
    said = f"{name}: {format_size(free)} free of {format_size(total)}; bf16 {bf16}"
    if free < LITTLE_MEMORY:
        return Finding(SECTION, f"GPU {index}", said, State.WARNING, "end the programs that nvidia-smi lists")
    return Finding(SECTION, f"GPU {index}", said)


def read_driver(file: Path) -> str:
    """Version of NVIDIA's kernel module; empty where there is none."""
    try:
        words = file.read_text().splitlines()[0].split()
    except (OSError, IndexError):
        return ""
    return next((word for word in words if word.count(".") >= 1 and word.replace(".", "").isdigit()), "")


def core_quota(groups: Path, own: str) -> float | None:
    """Cores that control groups allow, of either generation; None where they limit nothing."""
    found = []
    for folder in _folders(groups, own):
        quota, period = [*_words(folder / "cpu.max"), "", ""][:2]
        found.append((quota, period))
    for folder in _folders(groups / "cpu", own):
        found.append((_first(folder / "cpu.cfs_quota_us"), _first(folder / "cpu.cfs_period_us")))
    limits = [int(quota) / int(period) for quota, period in found if quota.isdigit() and period.isdigit()]
    return min(limits, default=None)


def memory_limit(groups: Path, own: str) -> float | None:
    """Bytes that control groups allow; None where they limit nothing."""
    files = [folder / "memory.max" for folder in _folders(groups, own)]
    files += [folder / "memory.limit_in_bytes" for folder in _folders(groups / "memory", own)]
    limits = [float(text) for file in files if (text := _first(file)).isdigit()]
    return min((limit for limit in limits if limit < 1e18), default=None)  # the first generation's "no limit"


def _folders(root: Path, own: str) -> list[Path]:
    """The folder of this process's control group, and those of the groups that it is in."""
    here = root / own.strip("/")
    return [here, *(parent for parent in here.parents if parent == root or root in parent.parents)]


def _own_group() -> str:
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return ""
    return next((line.split(":", 2)[2] for line in lines if line.startswith("0::")), "")


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []


def _first(file: Path) -> str:
    return next(iter(_words(file)), "")
