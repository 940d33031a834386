"""The steps of docs/quickstart.md, and running them as a newcomer would: in a shell, in a folder with own images."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.helpers.images.photos import make_photo
from tests.helpers.repository import ROOT

PAGE = ROOT / "docs" / "quickstart.md"
PARSED_ONLY = ("Install",)
"""Steps that need a network."""
BLOCK = re.compile(r"^```python\n# (?P<file>\w+\.py)\n(?P<code>(?:.*\n)*?)```$|^ {4}(?P<command>\S.*)$", re.MULTILINE)
PHOTOS = {"cat": (200, 60, 60), "dog": (60, 60, 200)}
"""Classes of a newcomer's images, and the colours that tell them."""


@dataclass(frozen=True)
class Action:
    """One thing that the page asks for."""

    command: str = ""
    """A line for the shell; empty where a file is written."""
    file: str = ""
    """Name of a file to write, from the first line of its block."""
    code: str = ""
    """What is in that file."""


@dataclass(frozen=True)
class Step:
    """A numbered section of the page."""

    title: str
    """Its heading, without the number."""
    actions: tuple[Action, ...]
    """What it asks for, in this order."""

    @property
    def is_run(self) -> bool:
        """Whether it can be run here."""
        return self.title not in PARSED_ONLY


def read_steps(page: Path = PAGE) -> Iterator[Step]:
    """All numbered sections, in their order."""
    sections = re.split(r"^## ", page.read_text(), flags=re.MULTILINE)[1:]
    for section in sections:
        heading, _, body = section.partition("\n")
        if found := re.fullmatch(r"\d+\. (.+)", heading):
            yield Step(found[1], tuple(_actions(body)))


def _actions(body: str) -> Iterator[Action]:
    for found in BLOCK.finditer(body):
        command = re.sub(r"\s{2,}#.*$", "", found["command"] or "")
        yield Action(command, found["file"] or "", f"# {found['file']}\n{found['code']}" if found["file"] else "")


def write_newcomers_photos(folder: Path, count: int = 24) -> None:
    """`folder/CLASS/NUMBER.jpg`, for two classes."""
    for label, colour in PHOTOS.items():
        (folder / label).mkdir(parents=True)
        for number in range(count):
            make_photo(colour, (40, 48), 1000 * len(label) + number + ord(label[0])).save(
                folder / label / f"{number}.jpg"
            )


def run_step(step: Step, place: Path, environment: dict[str, str]) -> tuple[float, str]:
    """Take a step in a folder; returns its seconds and what it printed. Raises AssertionError where it fails."""
    started, output = time.perf_counter(), []
    for action in step.actions:
        if action.file:
            (place / action.file).write_text(action.code)
        else:
            output.append(_run(action.command, place, environment))
    return time.perf_counter() - started, "\n".join(output)


def _run(command: str, place: Path, environment: dict[str, str]) -> str:
    """Run a line in a shell; when this ends, the search that it runs ends too, as when a terminal closes."""
    log = place / "said.txt"  # no pipe: what uploads to MLflow afterwards may hold it
    with log.open("w") as output:
        process = subprocess.Popen(
            ["bash", "-ec", command], cwd=place, env=environment, stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        try:
            code = process.wait()
        except BaseException:
            os.killpg(process.pid, signal.SIGTERM)
            print(log.read_text())
            raise
    assert code == 0, f"$ {command}\n{log.read_text()}"
    return log.read_text()


def newcomers_environment(home: Path, cache: Path) -> dict[str, str]:
    """A shell's environment after the installation: its commands are those of this repository."""
    home.mkdir(parents=True, exist_ok=True)
    return os.environ | {
        "HOME": str(home), "SEARCHSPACE_CACHE": str(cache), "HF_HUB_OFFLINE": "1", "NO_COLOR": "1", "COLUMNS": "118",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT),
    }  # fmt: skip
