"""A search as its users run it: a process of its own, with faults done to it and to what it started."""

import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

import psutil

from tests.helpers.faults.invariant import MARK, processes
from tests.helpers.repository import ROOT

ROLES = {
    "worker": r"RayTrainWorker", "controller": r"GangController", "trial": r"ray::(Trial|ResourceTrainable)",
    "broker": r"TrialBroker", "raylet": r"/raylet ", "gcs": r"/gcs_server ",
}  # fmt: skip
"""What the command lines of Ray's processes say of what they are."""
PATIENCE = 240.0


class Driver:
    """Searches in one results folder, one at a time."""

    def __init__(self, root: Path, name: str = "s") -> None:
        self.root, self.folder, self.name = root, root / "results" / name, name
        self.mark = uuid.uuid4().hex
        self.process: subprocess.Popen[str] | None = None
        self.said: list[Path] = []
        self.here = str(ROOT)  # the code beside these tests, wherever it is installed

    def start(self, *options: str, environment: dict[str, str] | None = None) -> None:
        """Begin a new search."""
        self._run(["--name", self.name, *options], environment)

    def resume(self, *options: str, environment: dict[str, str] | None = None) -> None:
        """Go on with it."""
        self._run(["--resume", self.name, *options], environment)

    def _run(self, options: Sequence[str], environment: dict[str, str] | None) -> None:
        self.said.append(self.root / f"said-{len(self.said)}.txt")
        variables = os.environ | {MARK: self.mark, "NO_COLOR": "1", "PYTHONPATH": self.here} | (environment or {})
        with self.said[-1].open("w") as out:
            self.process = subprocess.Popen(
                self.command(options), stdout=out, stderr=subprocess.STDOUT, text=True, cwd=self.root, env=variables,
                start_new_session=True,
            )  # fmt: skip

    def command(self, options: Sequence[str]) -> list[str]:
        """What runs a search."""
        return [sys.executable, "-m", "searchspace.run", *options]

    @property
    def output(self) -> str:
        """What the newest command has said so far."""
        return self.said[-1].read_text()

    def wait_for(self, pattern: str, patience: float = PATIENCE) -> None:
        """Wait until the newest command says something that matches."""
        deadline = time.monotonic() + patience
        while not re.search(pattern, self.output):
            assert self.process is not None
            assert self.process.poll() is None, f"it ended before it said {pattern!r}:\n{self.output}"
            assert time.monotonic() < deadline, f"it never said {pattern!r}:\n{self.output}"
            time.sleep(0.05)

    def ends(self, patience: float = PATIENCE) -> int:
        """Wait until the newest command ends; its exit code."""
        assert self.process is not None
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired as error:
            raise AssertionError(f"it never ends:\n{self.output}") from error

    def find(self, role: str) -> list[psutil.Process]:
        """The live processes of one role."""
        return [p for p in processes(self.mark) if re.search(ROLES[role], _title(p))]

    def wait_to_find(self, role: str, patience: float = 60.0) -> psutil.Process:
        """The first process of a role, when there is one."""
        deadline = time.monotonic() + patience
        while not (found := self.find(role)):
            assert time.monotonic() < deadline, f"there is no {role}: {[_title(p) for p in processes(self.mark)]}"
            time.sleep(0.2)
        return found[0]

    def signal(self, number: signal.Signals, group: bool = False) -> None:
        """Send the command a signal: itself alone, or every process of its process group."""
        assert self.process is not None
        if group:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)

    def stop(self) -> None:
        """Kill whatever is left."""
        for process in processes(self.mark):
            try:
                process.kill()
            except psutil.Error:
                continue
        if self.process is not None:
            self.process.wait()


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
