"""A cluster that grows for a search, is taken away under it, and shrinks when there is nothing left to do."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.helpers.faults.autoscaled import Autoscaled
from tests.helpers.faults.invariant import MARK, check
from trainables.config import Assignment, EpochReport, TrialConfig

SMALL = ("--models", "convnet", "--max-epochs", "6", "--final-seeds", "1", "--finalists", "1", "--formats", "onnx")


@pytest.fixture
def cluster(driver, tmp_path, monkeypatch) -> Iterator[Autoscaled]:
    """No worker yet, and three at most."""
    from searchspace.cluster.connect import WORKER_ENVIRONMENT
    from searchspace.ray_compat import RAY_VARIABLES

    for name, value in (RAY_VARIABLES | WORKER_ENVIRONMENT | {MARK: driver.mark, "PYTHONPATH": driver.here}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    found = Autoscaled(driver, tmp_path, most=3)
    yield found
    found.stop()


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.timeout(900)
def test_gangs_bring_nodes_up_a_shrinking_fleet_loses_no_trial_and_at_the_end_no_node_stays(driver, cluster):
    assert cluster.workers == 0
    driver.start("--trials", "10", "--address", cluster.address, *SMALL)
    driver.wait_for(r"the cluster has 0 CPUs now and may grow to 3: 3 trials at a time")
    cluster.wait_for(3)
    driver.wait_for(r"gang 3/3 warm")
    driver.wait_for(r"complete at epoch")
    cluster.allow(1)
    cluster.wait_for(1)
    assert driver.ends(500) == 0, driver.output
    check(driver.folder, 10)
    assert "its workers died" not in driver.output
    cluster.wait_for(0)


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.timeout(600)
def test_a_search_whose_nodes_do_not_come_can_be_stopped_and_goes_on_when_they_do(driver, cluster, tmp_path):
    """Where nothing tells what the cluster may grow to, what is asked for is believed."""
    (tmp_path / "elsewhere").mkdir()
    cluster.allow(0)
    asked = ("--address", cluster.address, "--max-concurrent", "2", "--gpus-per-worker", "0")
    driver.start("--trials", "3", *asked, *SMALL, environment={"HOME": str(tmp_path / "elsewhere")})
    driver.wait_for(r"nothing is known of its growth: 2 trials at a time, of which 0 need not wait for nodes")
    driver.wait_to_find("trial")
    driver.signal(signal.SIGINT)
    assert driver.ends(90) == 130
    cluster.allow(2)
    driver.resume(environment={"HOME": str(tmp_path / "elsewhere")})
    assert driver.ends(400) == 0, driver.output
    check(driver.folder, 3)


class EnoughError(Exception):
    """What was to be seen was seen."""


def assignment(folder: Path, trial: str, epochs: int) -> Assignment:
    config = TrialConfig(width=8, depth=2)
    return Assignment(trial=trial, kind="winner", config=config, seed=0, max_epochs=epochs, folder=str(folder / trial))


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.timeout(600)
def test_while_one_trial_trains_on_the_nodes_of_the_others_go_and_come_again(cluster, digits, tmp_path, monkeypatch):
    import ray

    from trainables.workers import gang_pool
    from trainables.workers.gang_resources import GangResources

    monkeypatch.setattr(gang_pool, "IDLE_TIMEOUT_S", 3.0)

    def until(workers: int) -> Callable[[EpochReport], None]:
        def look(_report: EpochReport) -> None:
            if cluster.workers == workers:
                raise EnoughError

        return look

    ray.init(address=cluster.address, log_to_driver=False)
    pool = gang_pool.GangPool(
        GangResources(slots=3, workers=1, cpus=1, gpus=0, elastic=True), digits, tmp_path / "gangs"
    )
    cluster.wait_for(3)
    with pytest.raises(EnoughError):
        pool.run_trials([assignment(tmp_path, "winner", 100_000)], listen=until(1))
    with pytest.raises(EnoughError):
        pool.run_trials([assignment(tmp_path, f"final-{index}", 100_000) for index in range(3)], listen=until(3))
    pool.close()
    cluster.wait_for(0)
    ray.shutdown()
