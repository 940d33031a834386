"""Results of an earlier version: the commands read them, and a search that was killed is resumed.

`tests/helpers/earlier_results` holds two searches of commit 80eb54b on digits. `finished` has a winner and a student,
and lacks the files that commands write anew. `interrupted` was killed with SIGKILL: trial 0 is complete, 1 and 2 are
paused, 3 is running.
"""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from optuna.trial import TrialState
from PIL import Image

from searchspace.spec import load_spec
from searchspace.study.study import load_study
from searchspace.study.trial_attributes import read_curve
from tests.helpers.attacks.commands import call
from tests.helpers.commands import command
from tests.helpers.repository import ROOT

EARLIER = ROOT / "tests" / "helpers" / "earlier_results"
SCORES = {0: 0.9913, 4: 0.9825, 3: 0.8996, 5: 0.7467, 2: 0.6288, 1: 0.5983}
"""Validation accuracy of the trials of `finished`, best first, as its own version showed it."""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A project folder with a copy of both searches below `results`."""
    shutil.copytree(EARLIER, tmp_path / "results")
    return tmp_path


@pytest.fixture
def finished(place: Path, digits: object) -> Path:
    return place / "results" / "finished"


def test_the_leaderboard_shows_the_same_trials(finished):
    done = call(("leaderboard", "--format", "csv"), finished)
    assert done.code == 0, done.error
    rows = list(csv.DictReader(done.output.splitlines()))
    assert {int(row["trial"]): round(float(row["score"]), 4) for row in rows} == SCORES
    assert [int(row["trial"]) for row in rows] == [*SCORES]
    roles = {int(row["trial"]): row["role"] for row in rows}
    assert "winner" in roles[4]
    assert "default" in roles[0]


def test_all_searches_of_a_folder_are_listed(place, digits):
    done = call(("leaderboard", "--format", "csv"), place / "results")
    assert done.code == 0, done.error
    assert "finished" in done.output
    assert "interrupted" in done.output


def test_the_report_shows_finals_and_test(finished):
    done = call(("report",), finished)
    assert done.code == 0, done.error
    page = (finished / "report.html").read_text()
    assert "98.89%" in page, "the winner's test accuracy"
    assert "held back at epoch 2: rank 3 of 6" in page, "reasons stay as they were recorded"


def test_the_stopping_rules_are_replayed(finished):
    done = call(("replay", "--format", "json"), finished)
    assert done.code == 0, done.error
    rows = json.loads(done.output)
    assert (rows[0]["scheduler"], rows[0]["epochs"]) == ("asha", 20)


@pytest.mark.parametrize("part", ["", "winner", "student"])
def test_an_exported_model_predicts(finished, cache, part):
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(finished / "image.png")
    done = command(
        "predict", str(finished / part), str(finished / "image.png"), "--format", "json",
        home=finished, cache=cache, cwd=finished,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    classes = json.loads(done.stdout)["classes"]
    assert {entry["class"] for entry in classes} <= set("0123456789")
    assert 0 < sum(entry["probability"] for entry in classes) <= 1.0001


def test_winner_and_student_are_exported_again(finished, cache):
    for part in ("winner", "student"):
        for file in (finished / part).glob("*.onnx"):
            file.unlink()
    done = command("export", str(finished), "--formats", "onnx", home=finished, cache=cache, cwd=finished)
    assert done.returncode == 0, done.stdout + done.stderr
    for part, accuracy in (("winner", 0.9852), ("student", 0.9741)):
        exported = json.loads((finished / part / "artefacts.json").read_text())
        assert exported["recommended"] == "onnx"
        assert round(exported["artefacts"][-1]["proof"]["accuracy"], 4) == accuracy
        assert (finished / part / "README.md").read_text().startswith("---\n")


def test_a_killed_search_is_resumed_with_exactly_its_trials(place, cache):
    folder = place / "results" / "interrupted"
    before = load_study(load_spec(folder), folder).trials
    assert [trial.state for trial in before[:4]] == [TrialState.COMPLETE, *[TrialState.RUNNING] * 3]
    done = command("run", "--resume", "interrupted", home=place, cache=cache, cwd=place)
    assert done.returncode == 0, done.stdout + done.stderr
    after = load_study(load_spec(folder), folder).trials
    assert sum("config" in trial.user_attrs for trial in after) == 6
    assert all(trial.state.is_finished() for trial in after)
    assert read_curve(after[0]) == read_curve(before[0]), "what was over is not trained again"
    for number in (1, 2, 3):
        index = EARLIER / "interrupted" / "trials" / f"trial-{number}" / "checkpoints" / "checkpoint.json"
        first, *more = read_curve(after[number])
        assert first.score == json.loads(index.read_text())["reports"][0]["score"], "resumed from its checkpoint"
        assert [report.epoch for report in more] == list(range(2, len(more) + 2))
    assert (folder / "winner" / "model.onnx").is_file()
