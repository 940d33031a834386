"""A metric, an augmentation and a data source of one's own in one search: by command, moved, resumed; from a script."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits

from tests.helpers.commands import RAY_TOKEN, command
from tests.helpers.repository import ROOT
from trainables.custom.source_modules import CODE_FOLDER

SMALL = {"max_epochs": 2, "grace_epochs": 1, "finalists": 1, "final_seeds": 1, "formats": "onnx", "models": "mlp"}
PARTS = {
    "data_source": "my_source.py:pixels", "metric": "my_metric.py:kappa", "augmentations": "my_aug.py:fade",
}  # fmt: skip
SCRIPT = """
import json
import searchspace
SPAN = 0.5
{parts}
if __name__ == "__main__":
    result = searchspace.search(
        "digits.csv", data_source=pixels, metric=kappa, augmentations=[fade], trials=1, name="scripted",
        progress="none", set={{"fade": 0.3}}, **{small}
    )
    print(json.dumps([result.name, dict(result.winner.config)]))
"""


def write_options(options):
    return [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", str(value))]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the examples' files, and digits as a table of pixels."""
    folder = tmp_path_factory.mktemp("parts")
    for file in (ROOT / "docs" / "examples").glob("custom_*/my_*.py"):
        shutil.copy(file, folder)
    digits = load_digits()
    table = np.c_[digits.target, 15 * digits.images.reshape(len(digits.target), -1)]
    header = ",".join(["label", *(f"pixel{index}" for index in range(64))])
    np.savetxt(folder / "digits.csv", table[:600], "%d", ",", header=header, comments="")
    return folder


@pytest.fixture(scope="module")
def searched(place, cache):
    arguments = write_options(SMALL | PARTS | {"data": "digits.csv", "trials": 2, "name": "parts"})
    done = command("run", *arguments, "--set", "fade=0.2", home=place, cache=cache, cwd=place)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def scripted(searched, place, cache):
    """The same parts, defined in a script that searches from Python."""
    sources = [(place / name).read_text() for name in ("my_metric.py", "my_aug.py", "my_source.py")]
    text = SCRIPT.format(parts="\n".join(sources).replace("Float(0, 0.5)", "Float(0, SPAN)"), small=SMALL)
    (place / "train.py").write_text(text)
    environment = os.environ | {
        "HOME": str(place), "SEARCHSPACE_CACHE": str(cache), "RAY_AUTH_TOKEN": RAY_TOKEN, "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "train.py"], cwd=place, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def resumed(scripted, place, cache):
    """The search, moved, on a machine that has neither its files nor a copy of its code."""
    for name in ("my_metric.py", "my_aug.py", "my_source.py"):
        (place / name).unlink()
    shutil.rmtree(cache / CODE_FOLDER)
    (place / "elsewhere").mkdir()
    shutil.move(place / "results" / "parts", place / "elsewhere" / "moved")
    done = command("run", "--resume", "elsewhere/moved", "--trials", "3", home=place, cache=cache, cwd=place)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_search_takes_all_three(searched):
    assert "digits: 10 classes, 8x8 grey" in searched
    assert "validation Cohen's kappa" in searched
    assert "test, once" in searched


def test_the_record_names_the_parts(searched, place):
    facts = json.loads((place / "results" / "parts" / "search.json").read_text())
    assert facts["spec"]["metric"] == "custom/my_metric.kappa"
    assert facts["spec"]["augmentations"] == ["custom/my_aug.fade"]
    assert facts["spec"]["data_source"] == "custom/my_source.pixels"
    assert sorted(facts["code_sha256"]) == ["0/my_aug.py", "0/my_metric.py", "0/my_source.py"]


@pytest.mark.slow
def test_boards_and_reports_run_no_code_and_show_the_metric(resumed, place, cache):
    assert "3 of 3 trials by validation Cohen's kappa" in resumed
    board = command("leaderboard", "elsewhere/moved", "--format", "csv", home=place, cache=cache, cwd=place)
    assert board.returncode == 0, board.stderr
    assert "fade" in board.stdout.splitlines()[0].split(",")
    page = (place / "elsewhere" / "moved" / "report.html").read_text()
    assert "Cohen&#39;s kappa" in page or "Cohen's kappa" in page
    assert "fading by up to 0.2" in page


@pytest.mark.slow
def test_functions_of_a_script_are_searched_with(scripted, place):
    name, config = scripted
    assert name == "scripted"
    assert config["custom"] == {"fade": 0.3}
    facts = json.loads((place / "results" / "scripted" / "search.json").read_text())
    assert facts["spec"]["metric"] == "custom/train.kappa"
