"""The command lines in the texts: each has options that exist, and those that read a search run as they are written."""

import importlib
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image

from searchspace.cli.commands import find_module
from searchspace.predict import parse as parse_predict
from tests.helpers.attacks.commands import run_function
from tests.helpers.commands import command
from tests.helpers.made_search import make_search
from tests.helpers.repository import ROOT

TEXTS = [
    *(ROOT / name for name in ("README.md", "cluster/README.md", "SECURITY.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
LINE = re.compile(r"^    (?:\w+=\S+ )*(?:cat \S+ \| )?searchspace ([a-z]\S+)(?: (.*?))?(?:\s{2,}#.*| > \S+)?$", re.M)
NAMES = ("digits", "flowers", "first", "mine", "own")
"""Searches that the texts name."""
READING = {"leaderboard", "report", "replay", "predict"}
"""Commands that take a second or so; `test_earlier_results.py` runs export and --resume, and other tests the rest."""


def written() -> list[tuple[str, ...]]:
    """Module and arguments of each line, once."""
    found = [(module, *shlex.split(rest)) for text in TEXTS for module, rest in LINE.findall(text.read_text())]
    return sorted({line for line in found if not {"...", "…"} & set(line)})


LINES = written()


def module_main(name: str):
    module = importlib.import_module(find_module(name))
    return module.main if hasattr(module, "main") else importlib.import_module(f"{module.__name__}.__main__").main


def test_the_lines_are_found():
    assert {module for module, *_ in LINES} >= READING | {"run", "export", "serve", "submit"}
    assert len(LINES) > 25


@pytest.mark.parametrize("line", LINES, ids=" ".join)
def test_every_option_in_a_text_exists(line):
    module, *arguments = line
    if module == "predict":
        assert parse_predict(arguments).images
        return
    app = typer.Typer()
    app.command()(module_main(module))
    parsed = typer.main.get_command(app).make_context(module, arguments)
    assert parsed.params


@pytest.fixture(scope="module")
def project(digits, tmp_path_factory) -> Path:
    """A folder in which the names in the texts are those of made searches and images."""
    place = tmp_path_factory.mktemp("project")
    earlier = ROOT / "tests" / "helpers" / "earlier_results" / "finished" / "winner"
    for name in NAMES:
        folder = make_search(place / "made", digits).rename(place / name)
        shutil.copy(earlier / "model.onnx", folder / "winner" / "model.onnx")
        record = folder / "search.json"
        record.write_text(record.read_text().replace('"name": "made"', f'"name": "{name}"'))
    (place / "results").mkdir()
    for name in NAMES:
        (place / name).rename(place / "results" / name)
    (place / "photos" / "cat").mkdir(parents=True)
    for file in ("photo.jpg", "photos/one.png", "photos/cat/1.jpg"):
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(place / file)
    shutil.copy(earlier / "model.onnx", place / "model-int8.onnx")
    return place


def runs_here(line: tuple[str, ...]) -> bool:
    elsewhere = any("://" in part or part.startswith("/shared") or part in {"-", "--watch"} for part in line)
    return line[0] in READING and not elsewhere


@pytest.mark.parametrize("line", [line for line in LINES if runs_here(line)], ids=" ".join)
def test_what_reads_a_search_runs_as_written(line, project, cache, monkeypatch):
    module, *arguments = line
    monkeypatch.chdir(project)
    if module == "predict":
        done = command(module, *arguments, home=project, cache=cache, cwd=project)
        assert (done.returncode, done.stdout != "") == (0, True), done.stderr
        return
    ended = run_function(module_main(module), f"searchspace/{module}.py", *arguments)
    assert ended.code == 0, ended.error
    assert ended.output
