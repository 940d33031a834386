"""The environment of this process: the machine, installed packages, and proxies."""

import os
import platform
from collections.abc import Iterable, MutableMapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LOOPBACK = ("localhost", "127.0.0.1", "::1")
SPARED = ("no_proxy", "NO_PROXY")
"""gRPC reads the first only, some programs the second only."""
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy")


def cpu_name() -> str:
    """Model name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def core_count() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """Version of each of `packages` that is installed; this project need not be, it runs from its checkout too."""
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def spare_loopback(environment: MutableMapping[str, str] = os.environ) -> None:
    """Name this machine in `no_proxy`, in addition to what it names, if there is a proxy at all.

    Ray's processes, MLflow's client and the search's own inherit it. Downloads of data and weights keep the proxy.
    """
    if not any(environment.get(name) or environment.get(name.upper()) for name in PROXIES):
        return
    named = [host.strip() for name in SPARED for host in environment.get(name, "").split(",") if host.strip()]
    if "*" in named:
        return
    environment.update(dict.fromkeys(SPARED, ",".join(dict.fromkeys([*named, *LOOPBACK]))))
