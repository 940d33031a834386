"""A newcomer's path: every command of docs/quickstart.md, run as it stands, in its order."""

import csv
import shlex
from pathlib import Path

import pytest

from tests.helpers.documents.quickstart import (
    newcomers_environment,
    read_steps,
    run_step,
    write_newcomers_photos,
)

STEPS = {step.title: step for step in read_steps()}


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """The folder that all steps are taken in."""
    folder = tmp_path_factory.mktemp("newcomer")
    write_newcomers_photos(folder / "photos")
    return folder


@pytest.fixture(scope="module")
def said(place, cache) -> dict[str, str]:
    """What each step printed; each is taken once, in the page's order."""
    environment = newcomers_environment(place / "home", cache)
    found = {}
    for title, step in STEPS.items():
        if step.is_run:
            seconds, found[title] = run_step(step, place, environment)
            print(f"{title}: {seconds:.1f} s")
    return found


def test_the_installation_can_be_parsed():
    install = next(iter(STEPS.values()))
    assert not install.is_run
    assert [shlex.split(action.command)[0] for action in install.actions] == ["git", "python3", "pip"]


def test_every_step_ends_as_the_page_says(said, place):
    assert "winner: trial" in said["First result"]
    assert (place / "results" / "first" / "report.html").is_file()
    assert "rank" in said["Look at it"]
    assert "2 classes: 'cat', 'dog'" in said["Your own images"]
    assert "onnx-int8" in said["Export"]


def test_predictions_name_the_classes(said, place):
    assert "cat" in said["Predict"]
    rows = list(csv.DictReader((place / "answers.csv").open()))
    assert len(rows) == 48
