"""A whole search, given everything by relative paths, that goes on after its folder, data and space have moved."""

import csv
import json
from pathlib import Path

import pytest

from searchspace.spec import load_facts, load_spec
from searchspace.study.study import load_own_study
from tests.helpers.commands import command
from tests.helpers.images.data_sets import write_images

RANGES = "LR = (0.001, 0.1)"
SPACE = """
from dataclasses import dataclass
import numpy as np
import optuna
from ranges import LR

@dataclass
class Size:
    width: int
    depth: int

def space(trial, task):
    size = Size(*trial.suggest_categorical("size", [(8, 1), (8, 2), (32, 4)]))
    if size.width * size.depth > 64:
        raise optuna.TrialPruned("too large")
    return {
        "model": "convnet", "width": np.int64(size.width), "depth": size.depth, "batch_size": 16,
        "dropout": trial.suggest_float("dropout", 0.1, 0.1), "lr": trial.suggest_float("lr", *LR, log=True),
    }
"""
SMALL = ("--models", "convnet", "--max-epochs", "1", "--finalists", "1", "--final-seeds", "1", "--formats", "onnx")


@pytest.mark.slow
def test_a_search_that_was_moved_goes_on_with_all_that_it_had(cache, tmp_path):
    place = tmp_path / "old"
    for name, colour in (("red", (200, 60, 60)), ("blue", (60, 60, 200))):
        write_images(place / "colours" / name, 30, (12, 12), colour)
    (place / "spaces").mkdir()
    (place / "spaces" / "ranges.py").write_text(RANGES)
    (place / "spaces" / "mine.py").write_text(SPACE)

    def run(*arguments: str, cwd: Path):
        return command("run", *arguments, home=tmp_path, cache=cache, cwd=cwd)

    done = run(
        "--data", "colours", "--space", "spaces/mine.py:space", "--storage", "sqlite:///study.db", "--trials", "3",
        "--name", "before", *SMALL, cwd=place,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    board = command(
        "leaderboard", str(place / "results" / "before"), "--format", "csv", "--storage", f"sqlite:///{place}/study.db",
        home=tmp_path, cache=cache, cwd=elsewhere,
    )  # fmt: skip
    assert [row["width"] in {"8", "8.0"} for row in csv.DictReader(board.stdout.splitlines())] == [True] * 3
    assert list(elsewhere.iterdir()) == [], "reading makes no database"

    after = tmp_path / "new" / "after"
    after.parent.mkdir()
    (place / "results" / "before").rename(after)
    (place / "colours").rename(tmp_path / "moved")
    asked = ("--resume", "after", "--results", str(after.parent), "--trials", "4")
    gone = run(*asked, cwd=elsewhere)
    assert gone.returncode == 2
    (line,) = gone.stderr.splitlines()
    assert f"its data '{place / 'colours'}' are not there" in line
    other = tmp_path / "other"
    for name, colour in (("red", (200, 60, 60)), ("blue", (60, 160, 200))):
        write_images(other / name, 30, (12, 12), colour)
    wrong = run(*asked, "--data", str(other), cwd=elsewhere)
    assert wrong.returncode == 2
    assert "is not what it was begun on" in wrong.stderr

    done = run(*asked, "--data", "../moved", cwd=elsewhere)
    assert done.returncode == 0, done.stdout + done.stderr
    spec = load_spec(after)
    trials = load_own_study(spec, after).get_trials()
    assert sum("config" in trial.user_attrs for trial in trials) == 4
    assert (spec.name, spec.study_name, spec.data) == ("after", "before", str(tmp_path / "moved"))
    assert load_facts(after)["data"]["origin"] == str(tmp_path / "moved")
    assert json.loads((after / "winner" / "artefacts.json").read_text())["recommended"] == "onnx"
    assert not (place / "results" / "before").exists()
    assert {path.name for path in after.parent.iterdir()} <= {"after", "mlflow.db", "mlartifacts"}
    assert list(elsewhere.iterdir()) == []
