"""Shell scripts: what a linter says of them, and how a search is begun or gone on with."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import optuna
import pytest

from searchspace.preparation.resume import write_finished
from searchspace.spec import load_spec, make_spec, save_record
from searchspace.study.study import continue_study, flush_study
from tests.helpers.made_search import make_search
from tests.helpers.repository import ROOT

SCRIPTS = sorted(path for path in ROOT.rglob("*.sh") if not {".venv", ".git"} & set(path.parts))
BIN = Path(sys.executable).parent


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_shellcheck_has_nothing_to_say(script):
    shellcheck = shutil.which("shellcheck", path=f"{BIN}:{os.environ['PATH']}")
    assert shellcheck, "comes with the development extras"
    done = subprocess.run([shellcheck, str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def go_on(results: Path | str, name: str, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)} | variables
    script = str(ROOT / "cluster" / "go_on.sh")
    return subprocess.run(
        ["bash", script, str(results), name, *options], capture_output=True, text=True, check=False, env=environment
    )


def test_going_on_begins_a_search_once_and_resumes_it_ever_after(tmp_path):
    """Which of the two is known by what is wrong with each; neither comes as far as the cluster."""

    def said() -> str:
        wrong = ("--grace-epochs", "9", "--max-epochs", "3", "--set", "lr=0.1 ")
        done = go_on(tmp_path, "first", *wrong, PID_FILE=str(tmp_path / "pid"))
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert (tmp_path / "pid").read_text().strip().isdigit()
        return done.stderr

    begins = "error: --grace-epochs 9: "
    assert said().startswith(begins)
    (tmp_path / "first").mkdir()
    for left in ("search.lock", "search.draft", "study.journal"):
        (tmp_path / "first" / left).touch()
        assert said().startswith(begins)
    spec = make_spec(name="first", results=str(tmp_path), data=str(tmp_path / "nowhere"))
    save_record(spec.folder, spec, {})
    assert said().startswith("error: --resume 'first': its data "), "options are those of a new search"


def test_going_on_with_what_is_finished_is_well_and_with_what_is_damaged_is_not(tmp_path, digits):
    folder = make_search(tmp_path, digits)
    study = continue_study(load_spec(folder), optuna.samplers.RandomSampler())
    write_finished(study, load_spec(folder))
    flush_study(study)
    done = go_on(tmp_path, folder.name)
    assert (done.returncode, done.stdout.startswith(f"search {folder.name!r} is finished")) == (0, True), done.stderr
    (folder / "search.json").write_text('{"spec": ')
    done = go_on(tmp_path, folder.name)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "search.json" in done.stderr


def test_going_on_at_a_url_that_cannot_be_reached_begins_nothing(tmp_path):
    done = go_on("s3://no-such-bucket?endpoint_override=http://127.0.0.1:1", "first", HOME=str(tmp_path))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert done.stderr.startswith("error: --results 's3://no-such-bucket"), done.stderr
