"""The example of the Python API, as it stands, and what becomes of its search when the cache was cleaned."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from searchspace.api.result import Result, load
from tests.helpers.repository import ROOT
from trainables.common.errors import UserError
from trainables.data.in_memory.array_data import ArrayData
from trainables.storage.folders import remove_tree

pytestmark = pytest.mark.slow
EXAMPLE = ROOT / "docs" / "examples" / "python_api.py"


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("place")


@pytest.fixture(scope="module")
def printed(place, tmp_path_factory) -> str:
    """What the example prints, run in a folder of its own with a cache of its own."""
    environment = os.environ | {
        "HOME": str(tmp_path_factory.mktemp("home")), "SEARCHSPACE_CACHE": str(place / "cache"),
        "PYTHONPATH": str(ROOT), "NO_COLOR": "1",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, str(EXAMPLE)], capture_output=True, text=True, check=False, cwd=place, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def result(printed, place, monkeypatch) -> Result:
    monkeypatch.setenv("SEARCHSPACE_CACHE", str(place / "cache"))
    return load(place / "results" / "from-python")


@pytest.fixture
def data() -> ArrayData:
    """That of the example."""
    bunch = load_digits()
    images = (bunch.images[:1600] / 16 * 255).round().astype(np.uint8)
    names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    return ArrayData(train=(images, bunch.target[:1600]), classes=names)


def test_the_example_goes_the_whole_way(printed, result):
    assert result.is_finished
    assert result.winner.classes[:3] == ("zero", "one", "two")
    for said in ("trial 2: ", "from-python", "(5, 10)", "on 197 images", "model.onnx", "report.html"):
        assert said in printed
    assert result.data.origin.endswith("arrays.npz")


def test_the_example_says_what_it_prints(printed, result):
    assert f"test accuracy {result.metrics.accuracy:.2%}" in printed


def test_a_search_on_data_that_are_no_longer_kept_asks_for_them(result, data, place):
    remove_tree(place / "cache" / "in-memory")
    with pytest.raises(UserError, match="were given in memory, and are no longer in the cache"):
        result.resume(trials=4, progress="none")
    other = ArrayData(train=(255 - data.train[0], data.train[1]), classes=data.classes)
    with pytest.raises(UserError, match="fingerprint"):
        result.resume(trials=4, data=other, progress="none")
    extended = result.resume(trials=4, data=data, progress="none")
    assert len(extended.leaderboard) == 4
    assert extended.is_finished
    assert extended.data.fingerprint == result.data.fingerprint
