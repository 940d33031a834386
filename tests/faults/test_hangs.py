"""What does not die but hangs, lies or refuses: a stopped worker, a clock that jumps, a tracker that is not there."""

import os
import subprocess
import sys
from contextlib import nullcontext

import pytest

from tests.helpers.faults.invariant import asked, check
from tests.helpers.servers.mlflow_server import free_port, serving

SMALL = ("--models", "convnet", "--max-epochs", "6", "--final-seeds", "1", "--finalists", "1", "--max-concurrent", "2")
LEAP = """
import sys, threading, time
if sys.argv[0] == "-m" and "searchspace.run" in " ".join(sys.orig_argv):
    real, begun = time.time, time.monotonic()
    time.time = lambda: real() + (3600 if time.monotonic() - begun > 25 else 0)
"""
"""A `sitecustomize` by which the driver's wall clock jumps an hour ahead while it searches."""


@pytest.mark.slow
def test_a_worker_that_hangs_is_replaced_in_bounded_time(driver):
    driver.start("--trials", "8", *SMALL, environment={"RAY_TRAIN_WORKER_HEALTH_CHECK_TIMEOUT_S": "10"})
    driver.wait_for(r"complete at epoch")
    (worker, *_) = driver.find("worker")
    worker.suspend()
    assert driver.ends() == 0, driver.output
    check(driver.folder, 8)
    assert not worker.is_running()


@pytest.mark.slow
def test_a_clock_that_jumps_an_hour_ends_no_search(driver, tmp_path):
    (tmp_path / "leap").mkdir()
    (tmp_path / "leap" / "sitecustomize.py").write_text(LEAP)
    path = f"{tmp_path / 'leap'}{os.pathsep}{driver.here}"
    driver.start("--trials", "16", "--time-budget", "30m", *SMALL, environment={"PYTHONPATH": path})
    assert driver.ends() == 0, driver.output
    check(driver.folder, 16)
    assert not [t for t in asked(driver.folder) if t.user_attrs.get("reason") == "time budget"]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("begins", ["down", "up"])
def test_a_tracking_server_that_is_down_costs_nothing_and_is_told_later_without_doubles(driver, tmp_path, begins):
    port = free_port()
    uri = f"http://127.0.0.1:{port}"
    with serving(tmp_path, port) if begins == "up" else nullcontext():
        driver.start(
            "--trials", "6", *SMALL, environment={"MLFLOW_TRACKING_URI": uri, "MLFLOW_HTTP_REQUEST_TIMEOUT": "5"}
        )
        driver.wait_for("complete at epoch")
    assert driver.ends() == 0, driver.output  # down from here to the end
    check(driver.folder, 6)
    assert "warning: MLflow has not got everything" in driver.output
    with serving(tmp_path, port):
        for _ in range(2):  # a second time adds nothing
            _upload(driver, uri)
        _check_runs(uri)


def _upload(driver, uri: str) -> None:
    environment = os.environ | {"MLFLOW_TRACKING_URI": uri, "PYTHONPATH": driver.here}
    done = subprocess.run(
        [sys.executable, "-m", "searchspace.tracking", str(driver.folder)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]


def _check_runs(uri: str) -> None:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(uri)
    (experiment,) = [e for e in client.search_experiments() if e.name == "searchspace"]
    runs = client.search_runs([experiment.experiment_id])
    assert len(runs) == 7, "six trials and their search, each once"
    for run in runs:
        steps = [m.step for m in client.get_metric_history(run.info.run_id, "score")]
        assert len(steps) == len(set(steps))
