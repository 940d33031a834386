"""What one slot costs the head: controllers and workers of a real search's gangs, and trial actors, each at rest."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time

import psutil

from searchspace.spaces import Task
from searchspace.spec import make_spec
from tests.helpers.scale.loop import actors, search, used

REST = 5.0
"""Seconds of watching what is at rest."""
ROLES = {"controller": "GangController", "worker": "RayTrainWorker"}
"""Titles of their processes."""


def watch_search() -> dict[str, float]:
    """A real search of long trials on the two slots of this machine: its controllers, workers, driver and Ray."""
    command = [
        sys.executable, "-m", "searchspace.run", "--trials", "4", "--max-epochs", "300", "--scheduler", "none",
        "--models", "convnet", "--max-concurrent", "2", "--set", "width=64", "--name", "watched",
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        child = subprocess.Popen([*command, "--results", folder], stdout=subprocess.PIPE, text=True)
        try:
            started = time.perf_counter()
            for line in child.stdout or ():
                if "gang 2/2 warm" in line:
                    break
            found = {"warm_seconds": time.perf_counter() - started}
            time.sleep(REST)
            return found | _look("controller", child.pid) | _look("worker", child.pid) | _base(child.pid)
        finally:
            for _ in range(2):  # the second time it stops at once
                os.kill(child.pid, signal.SIGTERM)
                time.sleep(1.0)
            child.wait(60)


def watch_actors(task: Task, slots: int = 4) -> dict[str, float]:
    """Trial actors of which each waits for a report; Ray is up."""
    seen: dict[str, float] = {}
    looking = threading.Thread(target=_look_once_there, args=(slots, seen), daemon=True)
    looking.start()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        spec = make_spec(
            name="rest", results=folder, address="auto", trials=slots, max_epochs=2, grace_epochs=1, sampler="random",
            scheduler="none",
        )  # fmt: skip
        search(spec, task, slots, nap=4 * REST)
    looking.join(10 * REST)
    return seen


def _look_once_there(slots: int, seen: dict[str, float]) -> None:
    while len(actors("Trainable")) < slots:
        time.sleep(0.1)
    time.sleep(REST)
    seen.update(_measured("actor", actors("Trainable")) | _measured("mailbox", actors("TrialBroker")))


def _look(role: str, parent: int) -> dict[str, float]:
    return _measured(role, _processes(role, parent))


def _measured(role: str, processes: list[psutil.Process]) -> dict[str, float]:
    """CPU seconds so far, cores while at rest, MB that no other process shares; means."""
    before = [used(process) for process in processes]
    time.sleep(REST)
    after = [used(process) for process in processes]
    count = len(processes)
    return {
        f"{role}_start": sum(before) / count,
        f"{role}_rest": (sum(after) - sum(before)) / REST / count,
        f"{role}_mb": sum(process.memory_full_info().uss for process in processes) / 1e6 / count,
    }


def _base(parent: int) -> dict[str, float]:
    """MB of driver, broker and Ray's own processes: all but the slots' own, and idle workers that wait for any."""
    driver = psutil.Process(parent)
    others = [process for process in driver.children(recursive=True) if process.status() != psutil.STATUS_ZOMBIE]
    held = [process for process in others if not (process.cmdline() or ["ray::"])[0].startswith("ray::")]
    return {
        "driver_mb": driver.memory_full_info().uss / 1e6,
        "ray_mb": sum(process.memory_full_info().uss for process in held) / 1e6,
    }


def _processes(role: str, parent: int) -> list[psutil.Process]:
    found = []
    for process in psutil.Process(parent).children(recursive=True):
        try:
            if f"::{ROLES[role]}" in (process.cmdline() or [""])[0]:
                found.append(process)
        except psutil.Error:  # it has ended
            continue
    return found
