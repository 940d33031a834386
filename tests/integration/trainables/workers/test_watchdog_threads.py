"""The watchdog over real threads that hang, work slowly, rest, and over a process that was stopped."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from tests.helpers.repository import ROOT
from trainables.workers import watchdog
from trainables.workers.watchdog import HANG_VARIABLE, Watchdog

HUNG = """
import sys, threading, time
from trainables.workers import watchdog
watchdog.CHECK_PERIOD_S = 0.05
import os, signal
def die(seconds):
    print(f"hung {seconds:.2f}", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
dog = watchdog.Watchdog(die)
dog.start()
for _ in range(5):
    dog.step()
    time.sleep(0.01)
print("steps", flush=True)
threading.Event().wait()  # a collective that never completes
"""


@pytest.fixture
def dog(monkeypatch):
    """A watchdog that looks often, and what it has found."""
    monkeypatch.setattr(watchdog, "CHECK_PERIOD_S", 0.02)
    monkeypatch.setenv(HANG_VARIABLE, "0.3")
    found: list[float] = []
    made = Watchdog(found.append)
    made.found = found
    return made


def work(dog: Watchdog, steps: int, seconds: float) -> None:
    for _ in range(steps):
        dog.step()
        time.sleep(seconds)


def test_a_thread_that_stops_stepping_is_found_once(dog):
    dog.start()
    work(dog, 3, 0.001)
    time.sleep(0.8)
    assert len(dog.found) == 1
    assert 0.3 < dog.found[0] < 0.8


def test_slow_steps_slow_set_up_and_rest_are_no_hang(dog):
    dog.start()
    time.sleep(0.5)  # set-up: no step yet
    work(dog, 3, 0.1)
    time.sleep(0.6)  # less than 20 times a step
    dog.pause()
    time.sleep(1.0)
    work(dog, 3, 0.1)
    assert dog.found == []


def test_a_rest_is_not_taken_for_a_long_step(dog):
    dog.start()
    work(dog, 3, 0.001)
    dog.pause()
    time.sleep(0.5)
    work(dog, 3, 0.001)
    assert not dog.found
    time.sleep(0.6)
    assert len(dog.found) == 1, "the rest did not raise the limit"


def test_a_new_trial_starts_without_the_pace_of_the_one_before(dog):
    dog.start()
    work(dog, 3, 0.1)
    dog.start()
    work(dog, 3, 0.001)
    time.sleep(0.6)
    assert len(dog.found) == 1


def hung_process() -> subprocess.Popen[str]:
    root = ROOT
    environment = os.environ | {"PYTHONPATH": str(root), HANG_VARIABLE: "1.0"}
    return subprocess.Popen([sys.executable, "-c", HUNG], stdout=subprocess.PIPE, text=True, env=environment)


def test_a_hung_process_is_killed_within_its_limit_and_says_so_before():
    process = hung_process()
    assert process.stdout is not None
    assert process.stdout.readline() == "steps\n"
    began = time.monotonic()
    assert process.wait(30) == -signal.SIGKILL
    assert time.monotonic() - began < 10
    assert process.stdout.read().startswith("hung 1.")


def test_time_in_which_the_process_itself_was_stopped_does_not_count(dog):
    """The thread that counts is stopped with all others; what it sees is one long tick, which counts as a short one."""
    dog.start()
    work(dog, 3, 0.001)
    held = threading.Event()
    real, now = time.monotonic, [0.0]
    watchdog.time.monotonic, before = (lambda: real() + now[0]), real
    try:
        now[0] += 3600
        held.wait(0.1)
        assert dog.found == []
    finally:
        watchdog.time.monotonic = before
