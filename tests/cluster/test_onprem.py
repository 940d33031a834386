"""Several hosts that share a folder and nothing else, started by SSH; one of them is cut off in mid-search."""

from collections.abc import Iterator

import pytest

from tests.helpers.cluster.hosts import ON_HOSTS
from tests.helpers.cluster.onprem import PLACE, OnHead, Onprem, onprem
from tests.helpers.faults.invariant import Snapshot, check

SMALL = ("--models", "convnet", "--max-epochs", "6", "--finalists", "1", "--final-seeds", "1", "--formats", "onnx")
SHARED = ("--workers-per-trial", "2")

pytestmark = ON_HOSTS


@pytest.fixture
def cluster(tmp_path) -> Iterator[Onprem]:
    with onprem(tmp_path, workers=3) as found:
        found.up()
        yield found


def test_a_search_survives_a_host_that_is_cut_off(cluster):
    everyone = [cluster.laptop, cluster.head, *cluster.workers]
    assert [host.run("stat -c %a ~/.ray/auth_token").stdout.strip() for host in everyone] == ["600"] * 5
    refused = cluster.head.run(
        f"cd {PLACE}; RAY_AUTH_TOKEN=guessed searchspace run --address {cluster.head.address}:6379"
    )
    assert refused.returncode == 2
    assert "refuses this search's token" in refused.stderr

    search = OnHead(cluster)
    search.start("--trials", "8", *SHARED, *SMALL)
    search.wait_for(r"paused at epoch")
    ranks = cluster.training()
    assert len(ranks) == 2, "the two ranks of the gang are on different hosts"
    before = Snapshot.take(search.folder)
    cluster.hosts.cut(ranks[1])
    cluster.wait_for_training(next(host for host in cluster.workers if host not in ranks))
    assert search.ends(400) == 0, search.output
    check(search.folder, 8, before)

    cluster.hosts.mend(ranks[1])
    cluster.wait_for_nodes(4)
    cluster.down()


def test_a_search_is_submitted_by_ssh_watched_and_fetched(cluster):
    submit = "searchspace submit --cluster onprem.yaml"
    said = cluster.ray(f"{submit} -- --name s --trials 4 --results {PLACE}/results {' '.join((*SHARED, *SMALL))}")
    assert "search 's' is job 's' of the cluster" in said
    assert "winner: trial" in said
    assert "job 's': succeeded" in said
    assert "succeeded" in cluster.ray(f"{submit} status s")
    cluster.ray(f"{submit} fetch s ~/fetched && test -f ~/fetched/s/winner/model.onnx")
    wrong = cluster.laptop.run(f"PATH={PLACE}/.venv/bin:$PATH; cd /srv; {submit} -- --trials none")
    assert wrong.returncode == 2, "a typo is told before anything is sent"
    check(cluster.place / "results" / "s", 4)
    cluster.down()
