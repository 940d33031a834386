"""Folders whose names mean something in URIs, shells and pages: they are what they are, wherever they become a URI."""

import sqlite3
from pathlib import Path

import pytest

from searchspace.tracking.tracking_store import artifacts_uri, database_file, database_uri
from tests.helpers.commands import command
from tests.helpers.images.data_sets import write_images
from trainables.common.environment import PROXIES
from trainables.storage.object_store.remote import check_location

ODD = "r ? # 100% %20 'ä' \"q\" & <x> ; 日本"
NAMES = ["plain", *(f"a{mark}b" for mark in " ?#%&;:@=+,'\"<>[]{}()|\\^`~!$*äß日"), "%20", "%", "?x=1", ODD]


@pytest.mark.parametrize("name", NAMES)
def test_a_path_comes_back_from_each_uri_that_is_made_of_it(tmp_path, name):
    path = tmp_path / name / "results"
    assert check_location(str(path)) == str(path)
    assert check_location(path.as_uri()) == str(path)
    assert database_file(database_uri(path / "mlflow.db")) == path / "mlflow.db"
    assert check_location(artifacts_uri(path / "search")) == str(path / "mlartifacts")


@pytest.mark.slow
def test_a_search_in_an_odd_folder_behind_a_dead_proxy_leaves_everything(tmp_path, cache, monkeypatch):
    for name in (*PROXIES, *map(str.upper, PROXIES)):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    place, temporary = tmp_path / ODD, tmp_path / f"{ODD} {'long ' * 20}"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    for name, colour in (("red ?#", (200, 60, 60)), ("<b>blue's 50%", (60, 60, 200))):
        write_images(place / "pictures" / name, 40, (12, 12), colour)
    options = ("--models", "convnet", "--trials", "2", "--max-epochs", "2", "--finalists", "1", "--final-seeds", "1")
    done = command(
        "run", "--data", "pictures", *options, "--formats", "onnx", "--name", "x", home=tmp_path, cache=cache, cwd=place
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "MLflow" not in done.stdout
    assert {path.name for path in place.iterdir()} == {"pictures", "results"}
    assert {path.name for path in (place / "results").iterdir()} == {"x", "mlflow.db", "mlartifacts"}
    with sqlite3.connect(place / "results" / "mlflow.db") as database:
        assert database.execute("select count(*) from runs where lifecycle_stage = 'active'").fetchone() == (3,)
        assert database.execute("select count(*) from model_versions").fetchone() == (1,)
    database.close()
    assert (place / "results" / "x" / "report.html").is_file()
    for module in ("leaderboard", "report", "export", "tracking"):
        again = command(module, str(Path("results") / "x"), home=tmp_path, cache=cache, cwd=place)
        assert again.returncode == 0, again.stdout + again.stderr
    resumed = command("run", "--resume", "x", home=tmp_path, cache=cache, cwd=place)
    assert "is finished" in resumed.stdout, resumed.stdout + resumed.stderr
