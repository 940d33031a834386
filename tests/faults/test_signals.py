"""Being told to stop, and two at a time."""

import re
import signal
import time

import pytest

from tests.helpers.faults.invariant import Snapshot, check, check_checkpoints

SMALL = ("--models", "convnet", "--max-epochs", "6", "--final-seeds", "1", "--finalists", "1", "--max-concurrent", "2")


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_search_with_its_epochs_and_it_goes_on(driver, number, code):
    driver.start("--trials", "12", *SMALL)
    driver.wait_for(r"complete at epoch")
    driver.signal(number)
    assert driver.ends() == code
    assert "every trial finishes its epoch and is saved" in driver.output
    assert "resume with: searchspace run --resume s" in driver.output
    before = Snapshot.take(driver.folder)
    assert before.trials
    driver.resume()
    assert driver.ends() == 0, driver.output
    check(driver.folder, 12, before)
    driver.resume()
    assert driver.ends() == 0
    assert "is finished: 12 trials" in driver.output


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_to_the_whole_process_group_ends_a_search_with_its_epochs(driver, number, code):
    """As `timeout` does it: the command gets the signal, then its process group, the command among it."""
    driver.start("--trials", "12", *SMALL)
    driver.wait_for(r"at epoch")
    driver.signal(number)
    driver.signal(number, group=True)
    assert driver.ends(patience=30) == code, driver.output
    assert "every trial finishes its epoch and is saved" in driver.output
    assert "stopped at once" not in driver.output
    assert "resume with: searchspace run --resume s" in driver.output
    assert list(driver.folder.glob("trials/*/checkpoints/checkpoint.json"))
    check_checkpoints(driver.folder)


@pytest.mark.slow
def test_ray_ends_with_a_driver_that_is_killed(driver):
    """Its processes are in sessions of their own; that nothing of them stays is what the fixture checks."""
    driver.start("--trials", "12", *SMALL)
    driver.wait_for(r"at epoch")
    assert driver.find("raylet")
    driver.signal(signal.SIGKILL)
    assert driver.ends(patience=10) == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [1.0, 1.8, 2.6, 3.4, 5.0, 8.0])
def test_a_signal_while_ray_starts_ends_the_search_too(driver, seconds):
    """Python's own answer, an exception wherever it is, once left a lock of a library held for ever."""
    driver.start("--trials", "12", *SMALL)
    driver.wait_for("digits: 10 classes")
    time.sleep(seconds)
    driver.signal(signal.SIGINT)
    assert driver.ends(patience=60) == 130
    assert re.search("nothing was begun|--resume s", driver.output)


@pytest.mark.slow
def test_a_second_signal_ends_it_at_once(driver):
    driver.start("--trials", "12", *SMALL)
    driver.wait_for(r"paused at epoch")
    driver.signal(signal.SIGINT)
    time.sleep(0.5)
    driver.signal(signal.SIGINT)
    assert driver.ends(patience=10) == 130
    assert "--resume s" in driver.output
    driver.resume()
    assert driver.ends() == 0, driver.output
    check(driver.folder, 12)


@pytest.mark.slow
def test_a_second_process_on_a_search_is_refused_and_told_who_holds_it(driver):
    driver.start("--trials", "4", *SMALL)
    driver.wait_for("warm")
    first = driver.process
    driver.resume()
    assert driver.ends() == 2
    assert f"process {first.pid} on " in driver.output
    driver.process = first
    assert driver.ends() == 0
    check(driver.folder, 4)
