"""Slots that fail and trials that fail: errors of devices, disks and collectives in real workers, and hung threads."""

import os

import pytest

from tests.helpers.faults.driver import Driver
from tests.helpers.faults.injected import injected, rule, struck
from tests.helpers.faults.invariant import asked, check
from trainables.workers.watchdog import HANG_VARIABLE

SMALL = ("--models", "convnet", "--max-epochs", "6", "--final-seeds", "1", "--finalists", "1", "--formats", "onnx")
TWO = (*SMALL, "--max-concurrent", "2")


def start(driver: Driver, folder, *options: str, rules, hang: str = "120") -> None:
    environment = injected(folder, *rules, path=os.pathsep.join([driver.here]))
    driver.start(*options, environment=environment | {HANG_VARIABLE: hang})


def failed(driver: Driver) -> list[str]:
    return [str(t.user_attrs.get("reason")) for t in asked(driver.folder) if t.state.name == "FAIL"]


@pytest.mark.slow
@pytest.mark.parametrize("what", ["eio", "cuda", "kill"])
def test_a_slot_where_everything_fails_is_retired_and_no_trial_fails(driver, tmp_path, what):
    start(driver, tmp_path / "faults", "--trials", "12", *TWO, rules=[rule(what, ".*", slot=0, times=99)])
    assert driver.ends() == 0, driver.output
    check(driver.folder, 12)
    assert failed(driver) == []
    assert driver.output.count("slot 0 (") >= 3
    assert "is retired after 3 errors" in driver.output
    assert "slot 1 (" not in driver.output


@pytest.mark.slow
def test_the_last_slot_that_is_retired_ends_the_search_which_goes_on_where_slots_work(driver, tmp_path):
    one = (*SMALL, "--max-concurrent", "1")
    start(driver, tmp_path / "faults", "--trials", "6", *one, rules=[rule("eio", ".*", epoch=1, times=99)])
    assert driver.ends() == 1, driver.output
    last = driver.output.strip().splitlines()[-1]
    assert last.startswith("error: no slot is left to train on: slot 0 (127.0.0.1, cpu) is retired after 4 errors")
    assert "OSError: [Errno 5] Input/output error; resume with: searchspace run --resume s" in last
    assert "Traceback" not in driver.output
    driver.resume()
    assert driver.ends() == 0, driver.output
    check(driver.folder, 6)
    assert len(failed(driver)) == 1, "with one slot alone, the first trial cannot be told from the slot"


@pytest.mark.slow
def test_an_error_that_follows_a_trial_fails_it_and_retires_nothing(driver, tmp_path):
    start(driver, tmp_path / "faults", "--trials", "12", *TWO, rules=[rule("cuda", "trial-3", epoch=1, times=99)])
    assert driver.ends() == 0, driver.output
    check(driver.folder, 12)
    (reason,) = failed(driver)
    assert "AcceleratorError: CUDA error: an illegal memory access was encountered (device error, on 3 gangs" in reason
    assert "slots 0, 1)" in reason
    assert "retired" not in driver.output


@pytest.mark.slow
@pytest.mark.parametrize("what", ["hang", "stop"])
def test_a_collective_that_never_completes_is_ended_in_bounded_time(driver, tmp_path, what):
    rules = [rule(what, "trial-2", epoch=1, rank=1)]
    start(driver, tmp_path / "faults", "--trials", "4", "--workers-per-trial", "2", *SMALL, rules=rules, hang="5")
    driver.wait_for(r"hung: no step for [56789] s")
    assert driver.ends() == 0, driver.output
    check(driver.folder, 4)
    assert failed(driver) == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_search_with_errors_on_one_slot_comes_to_the_same_to_the_bit(driver, tmp_path):
    one = ("--trials", "12", *SMALL, "--max-concurrent", "1", "--precision", "fp32")
    whole = Driver(tmp_path / "whole")
    whole.root.mkdir()
    whole.mark = driver.mark
    whole.start(*one)
    assert whole.ends() == 0, whole.output
    rules = [
        rule("eio", "trial-1", epoch=1), rule("hang", "trial-3", epoch=2), rule("cuda", "trial-5", epoch=1),
        rule("kill", "trial-6", epoch=1), rule("cuda", "final-.*", epoch=2), rule("hang", "winner", epoch=1),
    ]  # fmt: skip
    start(driver, tmp_path / "faults", *one, rules=rules, hang="5")
    assert driver.ends() == 0, driver.output
    check(driver.folder, 12)
    assert len(struck(tmp_path / "faults")) >= 5

    def told(folder):
        return [
            (t.number, t.state, t.params, t.intermediate_values, t.user_attrs.get("standing")) for t in asked(folder)
        ]

    assert told(driver.folder) == told(whole.folder)
    name = "model.safetensors"
    assert (driver.folder / "winner" / name).read_bytes() == (whole.folder / "winner" / name).read_bytes()
