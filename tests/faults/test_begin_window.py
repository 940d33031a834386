"""`kill -9` while a search is begun: its name is free again, or it can be resumed, with all that it begins with."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from searchspace.storage.search_folder import JOURNAL
from searchspace.storage.search_lock import LOCK_FILE
from tests.helpers.commands import command
from tests.helpers.faults.invariant import check
from tests.helpers.faults.moments import AT, START
from tests.helpers.repository import ROOT

SMALL = ("--models", "convnet", "--max-epochs", "3", "--final-seeds", "1", "--finalists", "1", "--formats", "onnx")


def run_window(folder: Path, *arguments: str) -> int:
    """How many moments there are."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.helpers.faults.begin_window", str(folder), *arguments],
        capture_output=True, text=True,
        check=False, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return int(done.stdout.splitlines()[-1])


def test_a_beginning_that_is_killed_at_any_change_of_a_file_is_begun_again_or_resumed(tmp_path, cache):
    assert run_window(tmp_path / "results", "", "changes", "1") > 10


def test_a_beginning_that_is_killed_between_two_statements_to_a_database_is_begun_again_or_resumed(tmp_path, cache):
    assert run_window(tmp_path / "results", f"sqlite:///{tmp_path}/studies.db", "changes", "17") > 50


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("storage", "kind"), [("", "lines"), ("sqlite:///{}/studies.db", "changes")])
def test_a_beginning_that_is_killed_at_any_line_or_statement_is_begun_again_or_resumed(tmp_path, cache, storage, kind):
    assert run_window(tmp_path / "results", storage.format(tmp_path), kind, "1") > 100


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_command_itself_is_killed_again_and_again_while_it_begins(driver, tmp_path):
    """Each try gets further; the last runs to its end, with exactly the trials that were asked for."""
    hook = tmp_path / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text("from tests.helpers.faults.moments import watch_command\nwatch_command()\n")
    for moment in (1, 4, 8, 12, 16, 20):
        environment = {"PYTHONPATH": f"{hook}:{driver.here}", START: LOCK_FILE, AT: str(moment)}
        options = ("--resume", driver.name) if (driver.folder / "search.json").exists() else ("--name", driver.name)
        driver._run([*options, *(("--trials", "4", *SMALL) if "--name" in options else ())], environment)
        assert driver.ends() == -9, driver.output
    if (driver.folder / "search.json").exists():
        driver.resume()
    else:
        driver.start("--trials", "4", *SMALL)
    assert driver.ends() == 0, driver.output
    check(driver.folder, 4)


def test_resuming_what_was_never_begun_says_so(cache, tmp_path):
    folder = tmp_path / "results" / "s"
    folder.mkdir(parents=True)
    (folder / LOCK_FILE).touch()
    (folder / JOURNAL).touch()
    done = command("run", "--resume", "s", home=tmp_path, cache=cache, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: --resume 's': was never begun: ")
    assert done.stderr.count("\n") == 1
