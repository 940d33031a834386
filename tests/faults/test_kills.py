"""`kill -9` of every process that a search consists of."""

import random
import re
import signal
import time

import pytest

from searchspace.finals.choose_student import read_student
from tests.helpers.faults.invariant import Snapshot, check

SMALL = ("--models", "convnet", "--max-epochs", "6", "--final-seeds", "1", "--finalists", "1", "--max-concurrent", "2")
MOMENTS = 20
"""Kills of the driver in one search."""


@pytest.mark.slow
@pytest.mark.parametrize("role", ["worker", "controller", "trial", "broker"])
def test_a_search_survives_the_death_of_what_it_started(driver, role):
    driver.start("--trials", "12", *SMALL)
    driver.wait_for(r"complete at epoch")
    driver.find(role)[0].kill()
    assert driver.ends() == 0, driver.output
    check(driver.folder, 12)


@pytest.mark.slow
def test_a_search_survives_the_death_of_a_rank_among_several(driver):
    driver.start("--trials", "6", "--workers-per-trial", "2", *SMALL[:-2])
    driver.wait_for(r"paused at epoch")
    driver.find("worker")[1].kill()
    assert driver.ends() == 0, driver.output
    check(driver.folder, 6)


@pytest.mark.slow
@pytest.mark.parametrize("role", ["raylet", "gcs"])
def test_a_search_goes_on_after_the_head_died(driver, role):
    driver.start("--trials", "12", *SMALL)
    driver.wait_for(r"complete at epoch")
    driver.find(role)[0].kill()
    code = driver.ends()
    before = Snapshot.take(driver.folder)
    if code:  # Ray ends a process whose head is gone
        driver.resume()
        assert driver.ends() == 0, driver.output
    check(driver.folder, 12, before)


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_a_driver_killed_at_any_moment_loses_nothing(driver):
    rng = random.Random(0)
    before = None
    driver.start("--trials", "40", *SMALL)
    for _ in range(MOMENTS):
        driver.wait_for("gang 1/2 warm|finished|winner:")
        time.sleep(rng.uniform(0.0, 4.0))
        driver.signal(signal.SIGKILL)
        driver.ends()
        if before is not None:
            now = Snapshot.take(driver.folder)
            assert {n: now.trials[n] for n in before.trials} == before.trials
        before = Snapshot.take(driver.folder)
        driver.resume()
    assert driver.ends() == 0, driver.output
    check(driver.folder, 40, before)


@pytest.mark.slow
def test_a_driver_killed_between_folds_trains_none_twice(driver):
    driver.start("--trials", "3", "--folds", "4", "--formats", "onnx", *SMALL)
    driver.wait_for(r"final-\d+-0-fold-1  complete")
    driver.signal(signal.SIGKILL)
    driver.ends()
    before, ended = Snapshot.take(driver.folder), set(re.findall(r"final-\S+(?=  complete)", driver.output))
    driver.resume()
    assert driver.ends() == 0, driver.output
    check(driver.folder, 3, before)
    again = set(re.findall(r"final-\S+(?=  complete)", driver.output))
    assert not again & ended
    finals = list((driver.folder / "trials").glob("final-*-fold-*/val-predictions.npz"))
    assert {path.parent.name.rpartition("-")[2] for path in finals} == set("0123")
    assert re.search(r"re-score .* over 4 folds", driver.output)


@pytest.mark.slow
def test_a_driver_killed_between_winner_and_student_trains_the_winner_once(driver):
    driver.start("--trials", "3", "--distil", "--max-params", "20000", "--formats", "onnx", *SMALL)
    driver.wait_for(r"student: ")
    winner = (driver.folder / "winner" / "model.safetensors").read_bytes()
    assert not (driver.folder / "winner" / "test-opened.json").exists(), "the test waits for the student"
    driver.signal(signal.SIGKILL)
    driver.ends()
    chosen = read_student(driver.folder)
    before = Snapshot.take(driver.folder)
    driver.resume()
    assert driver.ends() == 0, driver.output
    check(driver.folder, 3, before)
    assert "retrained" not in driver.output
    assert (driver.folder / "winner" / "model.safetensors").read_bytes() == winner
    assert read_student(driver.folder) == chosen.model_copy(update={"status": "trained"})
    names = {path.relative_to(driver.folder).as_posix() for path in driver.folder.rglob("*")}
    assert names >= {"student/metrics.json", "student/artefacts.json", "student/model.onnx"}
    assert not names & {"winner-1", "student-1"}


@pytest.mark.slow
def test_a_resumed_search_on_one_slot_asks_and_stops_as_if_it_had_never_been_away(driver, tmp_path):
    from tests.helpers.faults.driver import Driver

    one = ("--trials", "12", *SMALL[:-1], "1", "--precision", "fp32")
    whole = Driver(tmp_path / "whole")
    whole.root.mkdir()
    whole.mark = driver.mark
    whole.start(*one)
    assert whole.ends() == 0, whole.output
    driver.start(*one)
    for moment in (r"4/12", r"8/12"):
        driver.wait_for(moment)
        driver.signal(signal.SIGKILL)
        driver.ends()
        driver.resume()
    assert driver.ends() == 0, driver.output
    check(driver.folder, 12)
    from tests.helpers.faults.invariant import asked

    def told(folder):
        return [
            (t.number, t.state, t.params, t.intermediate_values, t.user_attrs.get("standing")) for t in asked(folder)
        ]

    assert told(driver.folder) == told(whole.folder)
    names = ("model.safetensors",)
    for name in names:
        assert (driver.folder / "winner" / name).read_bytes() == (whole.folder / "winner" / name).read_bytes()
