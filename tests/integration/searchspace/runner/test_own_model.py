"""A network of one's own, from its file to the exported winner: searched, resumed elsewhere, exported again."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.commands import command
from tests.helpers.repository import ROOT
from trainables.custom.source_modules import CODE_FOLDER
from trainables.export.predictor import Predictor

SMALL = ["--trials", "2", "--max-epochs", "2", "--grace-epochs", "1", "--finalists", "1", "--final-seeds", "1"]
MODEL = "custom/my_net.build"


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """The folder in which all is done, with the example's files."""
    folder = tmp_path_factory.mktemp("own")
    shutil.copytree(ROOT / "docs" / "examples" / "custom_model", folder / "nets")
    return folder


@pytest.fixture(scope="module")
def searched(place, cache):
    """A search of two workers a trial, within a limit."""
    done = command(
        "run", "--data", "digits", "--models", "nets/my_net.py:build", *SMALL, "--workers-per-trial", "2",
        "--max-concurrent", "1", "--set", "blocks=2", "--max-latency-ms", "50", "--name", "mine",
        "--formats", "onnx,onnx-int8", home=place, cache=cache, cwd=place,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def resumed(searched, place, cache):
    """The same search, moved, on a machine that has neither its file nor a copy of its code."""
    shutil.rmtree(place / "nets")
    shutil.rmtree(cache / CODE_FOLDER)
    (place / "elsewhere").mkdir()
    shutil.move(place / "results" / "mine", place / "elsewhere" / "moved")
    done = command("run", "--resume", "elsewhere/moved", "--trials", "3", home=place, cache=cache, cwd=place)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def exported(resumed, place, cache):
    """The winner, exported again."""
    done = command("export", "elsewhere/moved", "--formats", "onnx", home=place, cache=cache, cwd=place)
    assert done.returncode == 0, done.stdout + done.stderr
    return place / "elsewhere" / "moved"


def test_the_network_is_searched_proven_and_shipped(searched):
    assert f"winner: trial 0 ({MODEL})" in searched
    assert "2 of 2 trials" in searched
    shipped = {line.split()[0] for line in searched.splitlines() if line.strip()}
    assert {"pytorch", "onnx"} <= shipped
    assert "limits hold for the float32 ONNX file" in searched


def test_a_resume_elsewhere_takes_the_code_that_was_kept(resumed):
    assert "3 of 3 trials" in resumed


def test_the_record_has_its_parts_and_the_code_lies_beside_it(exported):
    facts = json.loads((exported / "search.json").read_text())
    assert facts["spec"]["models"] == [MODEL]
    assert facts["spec"]["pins"] == {"blocks": 2}
    (part,) = facts["custom"]
    assert part["description"]["defaults"] == {"patch": 2, "blocks": 4, "channels": 32}
    assert sorted(facts["code_sha256"]) == ["0/mixing.py", "0/my_net.py"]
    kept = (exported / "code" / "0" / "my_net.py").read_text()
    assert kept == (ROOT / "docs" / "examples" / "custom_model" / "my_net.py").read_text()


def test_boards_have_a_column_for_each_own_hyperparameter(exported):
    rows = list(csv.DictReader((exported / "leaderboard.csv").open()))
    assert {row["model"] for row in rows} == {MODEL}
    assert {row["blocks"] for row in rows} == {"2"}
    first = next(row for row in rows if row["trial"] == "0")
    assert (first["patch"], first["channels"]) == ("2", "32"), "the first trial has the defaults"


def test_the_board_is_read_without_running_code(exported, place, cache):
    part = exported / "code" / "0" / "my_net.py"
    text = part.read_text()
    part.write_text("raise SystemExit(7)")
    try:
        board = command("leaderboard", "elsewhere/moved", home=place, cache=cache, cwd=place)
        refused = command("export", "elsewhere/moved", "--formats", "onnx", home=place, cache=cache, cwd=place)
    finally:
        part.write_text(text)
    assert board.returncode == 0
    assert MODEL in board.stdout
    assert refused.returncode == 2
    assert "was changed; search.json has its SHA-256" in refused.stderr


def test_the_exported_file_answers(exported):
    images = np.random.default_rng(0).integers(0, 256, (3, 1, 8, 8), dtype=np.uint8)
    assert Predictor(exported / "winner" / "model.onnx").logits(images).shape == (3, 10)


def test_card_and_report_name_the_network(exported):
    card = (exported / "winner" / "README.md").read_text()
    assert "ConvMixer with" in card
    assert "`../code/0/my_net.py`" in card
    assert 'register_code_of(pathlib.Path(".."))' in card
    assert "my_net" in (exported / "report.html").read_text()
