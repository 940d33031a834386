"""A results folder that goes away, comes back, is replaced or deleted, fills up, or can only be read."""

import os
import shutil
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from functools import partial

import optuna
import pytest

from searchspace.cli.interruption import LostError
from searchspace.spec import make_spec, save_record
from searchspace.storage.search_folder import JOURNAL
from searchspace.study import journal as journals
from searchspace.study.study import continue_study, create_study, flush_study, get_journal, load_study
from searchspace.study.write_failure import end_search_on_write_failure, flush_or_rescue
from tests.helpers.faults.invariant import check
from trainables.common.retry import RetryPolicy
from trainables.storage.files import write_file
from trainables.storage.folders import forbid_creating, make_folder

SMALL = ("--models", "convnet", "--max-epochs", "6", "--final-seeds", "1", "--finalists", "1", "--max-concurrent", "2")
ROOT = pytest.mark.skipif(os.getuid() != 0, reason="mounts a file system")


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    monkeypatch.setattr(journals, "WRITE_RETRIES", RetryPolicy(first=0.01, most=0.05, patience=0.5))
    monkeypatch.setattr(journals, "FLUSH_TIMEOUT_S", 2.0)


@pytest.fixture
def spec(tmp_path, monkeypatch):
    monkeypatch.setenv("SEARCHSPACE_CACHE", str(tmp_path / "cache"))
    return make_spec(name="s", results=str(tmp_path / "results"))


@contextmanager
def small_disk(place, *options):
    place.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(["size=1m", *options]), "tmpfs", str(place)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def wait_until(true, patience=10.0):
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def ask(study, count):
    for _ in range(count):
        study.ask().suggest_float("x", 0, 1)


def begun(spec):
    study = create_study(spec, optuna.samplers.RandomSampler(seed=0))
    save_record(spec.folder, spec, {})
    ask(study, 3)
    flush_study(study)
    return study


def away(folder):
    """Renamed away, and back."""
    folder.rename(folder.with_name("elsewhere"))
    yield
    folder.with_name("elsewhere").rename(folder)


def copied(folder):
    """Replaced by a copy, as a restored backup or a moved disk is."""
    shutil.copytree(folder, folder.with_name("copy"), symlinks=True)
    folder.rename(folder.with_name("elsewhere"))
    yield
    folder.with_name("copy").rename(folder)


def emptied(folder):
    """Replaced by an empty folder for a while."""
    folder.rename(folder.with_name("elsewhere"))
    folder.mkdir()
    yield
    folder.rmdir()
    folder.with_name("elsewhere").rename(folder)


def older(folder):
    """Replaced by an older state of it for a while."""
    shutil.copytree(folder, folder.with_name("older"))
    content = (folder / JOURNAL).read_bytes()
    (folder.with_name("older") / JOURNAL).write_bytes(content[: content.rindex(b"\n", 0, -1) + 1])
    folder.rename(folder.with_name("elsewhere"))
    folder.with_name("older").rename(folder)
    yield
    shutil.rmtree(folder)
    folder.with_name("elsewhere").rename(folder)


@pytest.mark.parametrize("fault", [away, copied, emptied, older])
def test_a_folder_that_comes_back_costs_a_warning_and_nothing_is_lost(spec, fault, monkeypatch, logged):
    study = begun(spec)
    end_search_on_write_failure(study)
    monkeypatch.setattr("searchspace.study.write_failure.os.kill", lambda *_arguments: None)
    trouble = fault(spec.folder)
    next(trouble)
    ask(study, 5)
    wait_until(lambda: logged)
    next(trouble, None)
    wait_until(lambda: "that has passed" in logged[-1])
    flush_study(study)
    assert logged[0].startswith(f"warning: cannot write {spec.folder / JOURNAL} ("), logged
    assert load_study(spec, spec.folder).get_trials() == study.get_trials()
    assert len(study.get_trials()) == 8


def test_a_folder_that_is_deleted_ends_the_search_and_says_where_the_rest_is(spec, monkeypatch, logged):
    study, ended = begun(spec), threading.Event()
    monkeypatch.setattr("searchspace.study.write_failure.os.kill", lambda _process, number: ended.set())
    end_search_on_write_failure(study)
    kept = (spec.folder / JOURNAL).read_bytes()
    shutil.rmtree(spec.folder)
    ask(study, 2)
    assert ended.wait(10.0)
    assert "No such file or directory" in logged[0]
    assert logged[1].endswith("; the search ends, to be resumed when it can be")
    with pytest.raises(LostError, match=r"its last \d+ entries are in .*: when its folder is back, cat ") as lost:
        flush_or_rescue(study, spec)
    assert not spec.folder.exists(), "nothing is made in its place"
    spec.folder.mkdir()
    (spec.folder / JOURNAL).write_bytes(kept)
    command = str(lost.value).partition("is back, ")[2]
    append, _, resume = command.partition(" && ")
    subprocess.run(["sh", "-c", append], check=True)
    assert resume.startswith("searchspace run --resume s ")
    assert continue_study(spec, optuna.samplers.RandomSampler()).get_trials() == study.get_trials()


def test_a_running_search_makes_no_folder_in_the_place_of_its_own(tmp_path):
    folder = tmp_path / "results" / "s"
    write_file(folder / "trials" / "trial-0" / "error.txt", b"x")
    forbid_creating(folder)
    write_file(folder / "trials" / "trial-1" / "error.txt", b"x")
    folder.rename(folder.with_name("elsewhere"))
    with pytest.raises(FileNotFoundError):
        write_file(folder / "trials" / "trial-2" / "error.txt", b"x")
    with pytest.raises(FileNotFoundError):
        write_file(folder / "search.json", b"x")
    with pytest.raises(FileNotFoundError):
        make_folder(folder / "winner")
    assert not folder.exists()
    write_file(folder.with_name("other") / "search.json", b"x")


@ROOT
def test_a_disk_that_is_full_or_read_only_for_a_while_costs_a_warning(spec, monkeypatch, logged):
    monkeypatch.setattr("searchspace.study.write_failure.os.kill", lambda *_arguments: None)

    def said():
        return [line for line in logged if str(spec.folder) in line]  # an earlier test's search may speak late

    with small_disk(spec.folder):
        study = begun(spec)
        end_search_on_write_failure(study)
        for fault, mend in (
            (lambda: subprocess.run(["mount", "-o", "remount,ro", str(spec.folder)], check=True),
             lambda: subprocess.run(["mount", "-o", "remount,rw", str(spec.folder)], check=True)),
            (partial(fill, spec.folder / "filler"), (spec.folder / "filler").unlink),
        ):  # fmt: skip
            get_journal(study).flush()
            before = len(said())
            fault()
            ask(study, 200)
            wait_until(lambda before=before: len(said()) > before)
            mend()
            wait_until(lambda: "that has passed" in said()[-1])
        flush_study(study)
        assert "Read-only file system" in said()[0]
        assert any("No space left on device" in line for line in said()[1:]), logged
        assert load_study(spec, spec.folder).get_trials() == study.get_trials()
        del study


def fill(file):
    with suppress(OSError), file.open("wb", buffering=0) as filler:
        while filler.write(bytes(1 << 12)):
            pass


def rename_away(driver):
    """A search that has completed a trial, whose folder then has another name."""
    driver.start("--trials", "12", *SMALL)
    driver.wait_for(r"complete at epoch")
    elsewhere = driver.folder.with_name("elsewhere")
    driver.folder.rename(elsewhere)
    return elsewhere


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_search_whose_folder_is_renamed_away_for_ten_seconds_goes_on(driver):
    elsewhere = rename_away(driver)
    driver.wait_for(r"warning: cannot write .*study\.journal")
    time.sleep(10)
    assert not driver.folder.exists(), "nothing is made in its place"
    elsewhere.rename(driver.folder)
    assert driver.ends(500) == 0, driver.output
    check(driver.folder, 12)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_search_whose_folder_is_gone_ends_and_goes_on_where_it_is_put_back(driver):
    elsewhere = rename_away(driver)
    assert driver.ends(400) != 0
    assert "Traceback" not in driver.output, driver.output
    assert "to be resumed when it can be" in driver.output
    assert not driver.folder.exists()
    elsewhere.rename(driver.folder)
    driver.resume()
    assert driver.ends(500) == 0, driver.output
    check(driver.folder, 12)
