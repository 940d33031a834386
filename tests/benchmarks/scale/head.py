"""What one slot costs the head: two real gangs and their controllers, and trial actors, at rest and starting."""

import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import ray

from searchspace.spaces import Task
from searchspace.spec import make_spec
from trainables.gang import GangPool
from trainables.shape import GangShape

from .loop import search

REST = 6.0
"""Seconds of watching what is at rest."""
ROLES = {"controller": "GangController", "worker": "RayTrainWorker", "actor": "Trial", "mailbox": "Mailbox"}


def measure(task: Task, gangs: int = 2, slots: int = 4) -> dict[str, float]:
    """By role: CPU seconds until it is there, cores while at rest, MB of its own; and seconds that starts take."""
    with tempfile.TemporaryDirectory() as folder:
        started, warm = time.perf_counter(), []
        pool = GangPool(
            GangShape(slots=gangs, workers=1, cpus=1, gpus=0), task.data, Path(folder) / "gangs",
            lambda *_: warm.append(time.perf_counter() - started),
        )  # fmt: skip
        pool.ready()
        found = {"gang_seconds": max(warm) / gangs} | _look("controller") | _look("worker")
        pool.close()
        spec = make_spec(name="rest", results=folder, trials=slots, max_epochs=2, grace_epochs=1, sampler="random",
                         scheduler="none")  # fmt: skip
        seen: dict[str, float] = {}
        looking = threading.Thread(target=lambda: seen.update(_when_all(slots)))
        looking.start()
        search(spec, task, slots, 3 * REST)
        looking.join()
    return found | seen


def _when_all(slots: int) -> dict[str, float]:
    while len(_processes("actor")) < slots:
        time.sleep(0.1)
    time.sleep(REST / 2)
    return _look("actor") | _look("mailbox")


def _look(role: str) -> dict[str, float]:
    """A role's processes: CPU seconds so far, cores while at rest, MB that no other process shares; means."""
    processes = _processes(role)
    before = [_used(process) for process in processes]
    time.sleep(REST)
    after = [_used(process) for process in processes]
    count = len(processes)
    return {
        f"{role}_start": sum(before) / count,
        f"{role}_rest": (sum(after) - sum(before)) / REST / count,
        f"{role}_mb": sum(process.memory_full_info().uss for process in processes) / 1e6 / count,
    }


def _processes(role: str) -> list[psutil.Process]:
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if process.cmdline() and f"::{ROLES[role]}" in process.cmdline()[0]:
                found.append(process)
        except psutil.Error:  # it has ended
            continue
    return found


def _used(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)


def base_mb() -> float:
    """MB of the driver and of Ray's own processes on the head."""
    everyone = [psutil.Process(), *psutil.Process().children(recursive=True)]
    whole = 0.0
    for process in everyone:
        name = " ".join(process.cmdline())
        if "ray::" not in name or "Mailbox" in name:
            whole += process.memory_full_info().uss / 1e6
    return whole
