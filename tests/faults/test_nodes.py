"""A cluster of several nodes, of which one is taken away, with and without notice."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.helpers.faults.invariant import MARK, check

SMALL = ("--models", "convnet", "--max-epochs", "6", "--final-seeds", "1", "--finalists", "1", "--max-concurrent", "2")
SLOW = ("--models", "convnet", "--max-epochs", "18", "--final-seeds", "1", "--finalists", "1", "--max-concurrent", "2")


@pytest.fixture
def nodes(driver, monkeypatch) -> Iterator[object]:
    """A head without cores of its own for training, and two nodes of one core each; and a third as spare."""
    from ray.cluster_utils import Cluster

    from searchspace.cluster.connect import WORKER_ENVIRONMENT
    from searchspace.ray_compat import RAY_VARIABLES

    for name, value in (RAY_VARIABLES | WORKER_ENVIRONMENT | {MARK: driver.mark, "PYTHONPATH": driver.here}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("RAY_TRAIN_PREEMPTION_POLL_INTERVAL_S", "1")
    monkeypatch.delenv("RAY_AUTH_TOKEN")  # an open cluster; a driver that brings a token could run nothing on it
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    cluster.workers = [cluster.add_node(num_cpus=1) for _ in range(3)]
    cluster.wait_for_nodes()
    yield cluster
    cluster.shutdown()


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.timeout(600)
def test_trials_of_a_node_that_dies_go_on_elsewhere(driver, nodes):
    driver.start("--trials", "10", "--address", nodes.address, *SMALL)
    driver.wait_for(r"complete at epoch")
    nodes.remove_node(nodes.workers[0], allow_graceful=False)
    assert driver.ends(400) == 0, driver.output
    check(driver.folder, 10)


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.timeout(600)
def test_notice_of_a_node_that_goes_saves_what_it_trains_and_is_no_failure(driver, nodes):
    driver.start("--trials", "10", "--address", nodes.address, *SLOW)
    driver.wait_for(r"resumed from epoch")
    going = nodes.workers[0]
    command = [
        sys.executable, "-m", "ray.scripts.scripts", "drain-node", "--address", nodes.address,
        "--node-id", going.node_id, "--reason", "DRAIN_NODE_REASON_PREEMPTION", "--reason-message", "spot",
        "--deadline-remaining-seconds", "10",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert driver.ends(400) == 0, driver.output
    check(driver.folder, 10)
    assert "its workers died" not in driver.output
