"""One real search with secrets in all that it is given, looked at from outside while it runs and afterwards."""

import json
import os
import shutil
import subprocess
import sys
import time

import psutil
import pytest

from searchspace.spec import load_spec, make_spec
from searchspace.study.database import STORAGE_VARIABLE, url_with_password
from searchspace.study.study import load_own_study, load_study
from tests.helpers.commands import command
from tests.helpers.images.data_sets import write_images
from tests.helpers.repository import ROOT
from tests.helpers.servers.listening import beyond_loopback, listening
from trainables.common.errors import UserError
from trainables.storage.ownership import check_owned

SECRETS = {"storage": "st0rage-secret", "mlflow": "ml-fl0w-secret", "hub": "hf_hubsecret123"}


@pytest.fixture(scope="module")
def watched(cache, tmp_path_factory):
    """Where the search ran, its storage, what it printed, and all that listened meanwhile."""
    place = tmp_path_factory.mktemp("private")
    for name, colour in (("red", (200, 60, 60)), ("blue", (60, 60, 200))):
        write_images(place / "colours" / name, 40, (12, 12), colour)
    storage = f"sqlite:///file:{place}/study.db?uri=true&token={SECRETS['storage']}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")} | {
        "HOME": str(place), "SEARCHSPACE_CACHE": str(cache), "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT),
        "MLFLOW_TRACKING_URI": f"http://me:{SECRETS['mlflow']}@127.0.0.1:9", "HF_TOKEN": SECRETS["hub"],
    }  # fmt: skip
    options = ["--data", "colours", "--models", "convnet", "--trials", "2", "--max-epochs", "2", "--grace-epochs", "1"]
    options += ["--finalists", "1", "--final-seeds", "1", "--workers-per-trial", "2", "--name", "private"]
    options += ["--storage", storage, "--set", "batch_size=16"]
    found: set[tuple[str, str]] = set()
    with subprocess.Popen(
        [sys.executable, "-m", "searchspace.run", *options],
        env=environment, cwd=place, umask=0o002, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as search:  # fmt: skip
        process = psutil.Process(search.pid)
        while search.poll() is None:
            found |= listening(process)
            time.sleep(0.3)
        said = search.stdout.read()
    assert search.returncode == 0, said
    return place, storage, said, found


@pytest.mark.slow
def test_a_search_on_two_workers_listens_on_loopback_only(watched):
    found = watched[3]
    assert {name for _, name in found} >= {"gcs_server", "raylet"}
    assert [name for _, name in found if "TrainWorker" in name], "the workers' own process group was seen"
    assert beyond_loopback(found) == set()


@pytest.mark.slow
def test_no_secret_is_in_anything_that_a_search_prints_or_writes(watched):
    place, _, said, _ = watched
    files = [path for path in place.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"search.json", "README.md", "mlflow.log", "leaderboard.csv"}
    assert "http://me:***@127.0.0.1:9" in (place / "results" / "private" / "mlflow.log").read_text()
    for secret in SECRETS.values():
        assert secret not in said
        assert [path for path in files if secret.encode() in path.read_bytes()] == []


@pytest.mark.slow
def test_what_a_search_makes_with_a_loose_umask_is_its_owners_all_the_same(watched):
    check_owned(watched[0] / "results" / "private")


@pytest.mark.slow
def test_the_record_repeats_the_search_but_for_the_password(watched):
    place, storage, _, _ = watched
    record = json.loads((place / "results" / "private" / "search.json").read_text())
    hidden = storage.replace(SECRETS["storage"], "***")
    assert record["spec"]["storage"] == hidden
    assert f"--storage '{hidden}'" in record["command"]


@pytest.mark.slow
def test_reading_it_again_takes_the_password_from_the_environment(watched, tmp_path, monkeypatch):
    place, storage, _, _ = watched
    folder = place / "results" / "private"
    arguments = {"home": tmp_path, "cache": tmp_path, "cwd": tmp_path}
    without = command("leaderboard", str(folder), **arguments)
    assert without.returncode == 2
    (line,) = without.stderr.splitlines()
    assert line.endswith(f"or set {STORAGE_VARIABLE} to the whole URL (it is not set)")
    monkeypatch.setenv(STORAGE_VARIABLE, storage)
    assert len(load_study(load_spec(folder), folder).get_trials()) == 2
    assert command("leaderboard", str(folder), **arguments).returncode == 0


def test_a_record_cannot_choose_who_is_sent_the_password(monkeypatch):
    monkeypatch.setenv(STORAGE_VARIABLE, "postgresql://me:secret@here/db")
    assert url_with_password("postgresql://me:***@here/db") == "postgresql://me:secret@here/db"
    with pytest.raises(UserError) as refused:
        url_with_password("postgresql://me:***@elsewhere/db")
    assert "secret" not in str(refused.value)
    assert "(it is 'postgresql://me:***@here/db')" in str(refused.value)


def test_an_error_of_the_database_does_not_quote_the_password(tmp_path, monkeypatch):
    spec = make_spec(name="s", results=str(tmp_path), storage="nosuchbase://user:secret@host/db")
    assert "secret" not in repr(spec)
    with pytest.raises(UserError, match=r"nosuchbase://user:\*\*\*@host/db") as refused:
        load_own_study(spec, spec.folder)
    assert "secret" not in str(refused.value)


def test_a_defect_does_not_print_a_secret(tmp_path):
    code = (
        "from searchspace.cli.command import run_command\n"
        "def main() -> None:\n    raise RuntimeError('postgresql://user:secret@host said open-sesame')\n"
        "run_command(main)"
    )
    environment = os.environ | {"MY_PASSWORD": "open-sesame", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "RuntimeError: postgresql://user:***@host said ***" in done.stderr
    assert "secret" not in done.stderr.replace("'postgresql://user:***", "")


def test_a_cache_is_made_for_its_owner_alone(tmp_path, monkeypatch):
    from trainables.storage.cache import cache_folder

    monkeypatch.setenv("SEARCHSPACE_CACHE", str(tmp_path / "deep" / "cache"))
    assert cache_folder().stat().st_mode & 0o777 == 0o700
    shutil.rmtree(tmp_path / "deep")
