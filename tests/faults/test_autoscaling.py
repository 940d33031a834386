"""A cluster that grows for a search, is taken away under it, and shrinks when there is nothing left to do."""

from collections.abc import Iterator

import pytest

from tests.faults.autoscaled import Autoscaled
from tests.faults.invariant import MARK, check

SMALL = ("--models", "convnet", "--max-epochs", "6", "--final-seeds", "1", "--finalists", "1")


@pytest.fixture
def cluster(driver, tmp_path, monkeypatch) -> Iterator[Autoscaled]:
    """No worker yet, and three at most."""
    from searchspace.cluster import QUIET, WORKER_ENVIRONMENT

    for name, value in (QUIET | WORKER_ENVIRONMENT | {MARK: driver.mark, "PYTHONPATH": driver.here}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    yield Autoscaled(driver, tmp_path, most=3)
    driver.stop()


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
