"""A real `searchspace serve`, on a free port, of which nothing is left afterwards."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from searchspace.serving.access import TOKEN_VARIABLE
from tests.helpers.repository import ROOT


@dataclass
class Service:
    """One that answers."""

    url: str
    said: str
    process: psutil.Process


def ray_folders(processes: list[psutil.Process]) -> set[Path]:
    """Folders with Ray's sockets and logs."""
    found = re.findall(r"(/\S*searchspace-ray-\w+)/", " ".join(part for one in processes for part in one.cmdline()))
    return set(map(Path, found))


@contextmanager
def served(
    model: Path, *options: str, ends: int = signal.SIGTERM, told: str = "", logged: str = "", **environment: str
) -> Iterator[Service]:
    """The service of `model`, until it is sent the signal `ends`.

    `told` is a pattern of what it says meanwhile, and `logged` of what it says on stderr.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_") and name != TOKEN_VARIABLE}
    command = [sys.executable, "-m", "searchspace.serve", str(model), "--port", "0", *options]
    with subprocess.Popen(
        command, env=kept | {"PYTHONPATH": str(ROOT)} | environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        said = ""
        while "\ncurl " not in said:
            line = process.stdout.readline()
            assert line, said + process.stderr.read()
            said += line
        one = psutil.Process(process.pid)
        folders = ray_folders(one.children(recursive=True))
        assert folders
        try:
            yield Service(re.search(r"http://\S+:\d+", said)[0], said, one)
            started = one.children(recursive=True)
        finally:
            process.send_signal(ends)
            rest, wrong = process.communicate(timeout=60)
    assert process.returncode == 128 + ends, wrong
    assert re.fullmatch(logged, wrong), wrong
    assert re.fullmatch(told, rest), rest
    assert psutil.wait_procs(started, timeout=20)[1] == [], "nothing is left running"
    assert not [folder for folder in folders if folder.exists()]
