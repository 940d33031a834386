"""A command in a process group of its own, timed by the clock, and ended where it takes far too long."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PATIENCE_S = 60.0
"""Seconds that a command has to end after SIGTERM."""


@dataclass(frozen=True)
class TimedCommand:
    """What became of a command."""

    started: float
    """Unix time at its start."""
    seconds: float
    """From its start to its end."""
    code: int
    """Its exit code."""
    output: str
    """What it printed on both streams."""
    timed_out: bool
    """Whether it was ended."""


def run_command(
    command: Sequence[object], timeout: float, log: Path, environment: Mapping[str, str], folder: Path
) -> TimedCommand:
    """Run a command in `folder`, its output in `log`; after `timeout` seconds it is ended with all that it started."""
    started, clock, timed_out = time.time(), time.perf_counter(), False
    with log.open("wb") as file:
        process = subprocess.Popen(
            [*map(str, command)], stdout=file, stderr=subprocess.STDOUT, cwd=folder, start_new_session=True,
            env=os.environ | environment,
        )  # fmt: skip
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            timed_out = True
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE_S)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    seconds = time.perf_counter() - clock
    return TimedCommand(started, seconds, process.returncode, log.read_text(errors="replace"), timed_out)
