"""A newcomer's path: every command of docs/quickstart.md, run as it stands, in its order."""

import csv
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.documents.quickstart import newcomers_environment, read_steps, run_step, write_newcomers_photos

STEPS = {step.title: step for step in read_steps()}
DONE: dict[str, Callable[[str, Path], bool]] = {
    "First result": lambda said, place: "winner: trial" in said and (place / "results/first/report.html").is_file(),
    "Look at it": lambda said, _: "rank" in said and "report" in said,
    "Your own images": lambda said, _: "2 classes: 'cat', 'dog'" in said and "winner: trial" in said,
    "From Python": lambda said, _: "score" in said and ("['cat']" in said or "['dog']" in said),
    "A network of your own": lambda said, _: "custom/my_net.build" in said and "winner: trial" in said,
    "Export": lambda said, _: "onnx-int8" in said,
    "Predict": lambda said, place: "cat" in said and len([*csv.DictReader((place / "answers.csv").open())]) == 48,
}
"""What shows that a step did what the page says, in what it printed and in its folder."""


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """The folder that all steps are taken in, one after another."""
    folder = tmp_path_factory.mktemp("newcomer")
    write_newcomers_photos(folder / "photos")
    return folder


def test_the_installation_can_be_parsed():
    install, *others = STEPS.values()
    assert [shlex.split(action.command)[0] for action in install.actions] == ["git", "python3", "pip"]
    assert [step.title for step in others] == [*DONE]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("title", DONE)
def test_a_step_does_what_the_page_says(title, place, cache):
    seconds, said = run_step(STEPS[title], place, newcomers_environment(place / "home", cache))
    print(f"{title}: {seconds:.1f} s")
    assert DONE[title](said, place), said
