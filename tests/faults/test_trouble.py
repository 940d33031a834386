"""What the search's own work runs into: storage that hangs, memory that runs out, a space and losses that are wrong."""

import subprocess
import sys
import time
from contextlib import contextmanager

import psutil
import pytest

from tests.helpers.faults.invariant import asked, check

SMALL = ("--max-epochs", "6", "--final-seeds", "1", "--finalists", "1", "--max-concurrent", "2")
WRONG = """
def space(trial, task):
    if trial.number in (9, 12):  # not in the first eight, which are tried before the search
        raise RuntimeError("no idea")
    wrong = trial.suggest_categorical("wrong", [False, True])
    decay = trial.suggest_float("weight_decay", 1e-4, 1e-1, log=True)
    values = {"model": "convnet", "width": 8, "weight_decay": decay}
    if wrong:
        values |= {"optimizer": "sgd", "momentum": 0.99, "batch_norm": False, "warmup": 0.0}
        return values | {"depth": 4, "lr": 10.0}
    return values | {"depth": 2, "lr": trial.suggest_float("lr", 1e-3, 1e-1, log=True)}
"""
"""A space that raises now and then, and whose losses are infinite or no number in half of the others."""
HOG = """
import sys, time
held = bytearray(int(sys.argv[1]))
held[::4096] = b"x" * len(held[::4096])
time.sleep(float(sys.argv[2]))
"""
"""A process that has nothing to do with the search, and takes its memory."""


@contextmanager
def disk(image, place, megabytes=512):
    """A file system of its own, of a kind that can be frozen."""
    subprocess.run(["truncate", "-s", f"{megabytes}M", str(image)], check=True)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)
    place.mkdir()
    subprocess.run(["mount", "-o", "loop", str(image), str(place)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.slow
def test_storage_that_hangs_is_waited_for(driver, tmp_path):
    """All writes below the results folder wait, as on a network file system whose server is away."""
    place = tmp_path / "results"
    with disk(tmp_path / "disk", place):
        try:
            driver.start("--trials", "12", "--models", "convnet", *SMALL)
            driver.wait_for(r"complete at epoch")
            subprocess.run(["fsfreeze", "--freeze", str(place)], check=True)
            time.sleep(30)
            subprocess.run(["fsfreeze", "--unfreeze", str(place)], check=True)
            assert driver.ends() == 0, driver.output
            check(driver.folder, 12)
        finally:
            subprocess.run(["fsfreeze", "--unfreeze", str(place)], check=False, stderr=subprocess.DEVNULL)
            driver.stop()


@pytest.mark.slow
def test_host_memory_that_runs_out_for_a_while_costs_time(driver):
    """Ray's own guard kills what it started, newest first, while another process holds too much."""
    memory = psutil.virtual_memory()
    room = 5 << 30
    threshold = (memory.total - memory.available + room) / memory.total
    environment = {"RAY_memory_usage_threshold": f"{threshold:.3f}", "RAY_memory_monitor_refresh_ms": "100"}
    driver.start("--trials", "12", "--models", "convnet", *SMALL, environment=environment)
    driver.wait_for(r"complete at epoch")
    workers = {process.pid for process in driver.find("worker")}
    subprocess.run([sys.executable, "-c", HOG, str(room), "3"], check=True)
    assert driver.ends() == 0, driver.output
    assert not all(psutil.pid_exists(pid) for pid in workers)
    check(driver.folder, 12)


@pytest.mark.slow
def test_a_space_that_raises_and_losses_that_are_no_numbers_cost_their_trials_alone(driver, tmp_path):
    (tmp_path / "wrong.py").write_text(WRONG)
    driver.start("--trials", "12", "--space", f"{tmp_path / 'wrong.py'}:space", *SMALL)
    assert driver.ends() == 0, driver.output
    check(driver.folder, 12)
    failed = [t.user_attrs.get("reason") for t in asked(driver.folder) if t.state.name == "FAIL"]
    assert failed, "some diverged"
    assert set(failed) == {"diverged"}
