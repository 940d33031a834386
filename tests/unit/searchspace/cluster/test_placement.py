"""How many gangs fit a cluster, and where they lie."""

import itertools
import random

import pytest

from searchspace.cluster.nodes import read_growth
from searchspace.cluster.placement import Node, Room, count_gangs, place
from searchspace.spec import make_spec
from trainables.common.errors import UserError
from trainables.workers.gang_resources import bundles, shares_of

HEAD = Node(cpus=0)
BIG = Node(cpus=96, gpus=8, count=8)


def room(*nodes: Node, **more) -> Room:
    return Room(nodes=nodes, **more)


@pytest.mark.parametrize(
    ("options", "node", "slots", "gpus"),
    [
        ({}, Node(cpus=2), 2, 0),
        ({"workers_per_trial": 2}, Node(cpus=2), 1, 0),
        ({"cpus_per_worker": 0.5}, Node(cpus=2), 4, 0),
        ({}, Node(cpus=16, gpus=2), 2, 1),
        ({"gpus_per_worker": 0.25}, Node(cpus=16, gpus=1), 4, 0.25),
        ({"gpus_per_worker": 1 / 3}, Node(cpus=16, gpus=1), 3, 1 / 3),
        ({"gpus_per_worker": 0.4}, Node(cpus=16, gpus=2), 4, 0.4),
        ({"gpus_per_worker": 0.0}, Node(cpus=16, gpus=2), 16, 0),
        ({"max_concurrent": 3}, Node(cpus=16), 3, 0),
        ({"max_concurrent": 30}, Node(cpus=16), 16, 0),
        ({"trials": 5}, Node(cpus=16), 5, 0),
        ({"gpus_per_worker": 0.125}, Node(cpus=4, gpus=1), 4, 0.125),
    ],
)
def test_on_one_node_slots_are_what_its_scarcest_resource_holds(options, node, slots, gpus):
    placement = place(make_spec(name="x", **options), room(node))
    assert (placement.slots, placement.gpus, placement.nodes, placement.remarks) == (slots, gpus, 1, ())


@pytest.mark.parametrize(
    ("workers", "nodes", "gangs", "spread"),
    [
        (1, [HEAD, BIG], 64, 1),
        (3, [HEAD, BIG], 16, 1),  # two a node, and not 21 of the total
        (5, [BIG], 8, 1),
        (8, [BIG], 8, 1),
        (12, [BIG], 4, 2),
        (16, [BIG], 4, 2),
        (24, [BIG], 2, 3),
        (64, [BIG], 1, 8),
        (65, [BIG], 0, 1),
        (4, [Node(cpus=8, gpus=2, count=3), Node(cpus=8, gpus=4)], 1, 1),
        (12, [Node(cpus=96, gpus=8), Node(cpus=96, gpus=4, count=2)], 1, 3),
        (10, [Node(cpus=96, gpus=4, count=3)], 1, 3),
        (2, [Node(cpus=1, gpus=8, count=4)], 2, 2),  # cores are short
        (1, [Node(cpus=96, count=3)], 0, 1),
    ],
)
def test_gangs_are_counted_by_nodes(workers, nodes, gangs, spread):
    assert count_gangs(workers, 1.0, 1.0, nodes) == (gangs, spread)


def test_clusters_without_gpus_follow_the_same_rule():
    assert count_gangs(3, 2.0, 0.0, [Node(cpus=8, count=3)]) == (3, 1)
    assert count_gangs(8, 2.0, 0.0, [Node(cpus=8, count=4)]) == (2, 2)


def fits(gangs: int, shares: list[int], holds: list[int]) -> bool:
    """Whether so many gangs can really be placed, one share a node each; by trying all ways."""
    if not gangs:
        return True
    for nodes in itertools.permutations(range(len(holds)), len(shares)):
        left = list(holds)
        for node, share in zip(nodes, shares, strict=True):
            left[node] -= share
        if min(left) >= 0 and fits(gangs - 1, shares, left):
            return True
    return False


@pytest.mark.parametrize("seed", range(30))
def test_what_is_counted_can_be_placed_and_one_gang_that_fits_a_node_is_never_missed(seed):
    rng = random.Random(seed)
    holds = [rng.randint(0, 4) for _ in range(rng.randint(1, 4))]
    workers = rng.randint(1, 6)
    nodes = [Node(cpus=float(rng.randint(held, 9)), gpus=float(held)) for held in holds]
    gangs, spread = count_gangs(workers, 1.0, 1.0, nodes)
    shares = list(shares_of(workers, spread))
    assert sum(shares) == workers
    assert max(shares) - min(shares) <= 1
    assert fits(gangs, shares, holds)
    if workers <= max(holds):
        assert spread == 1
        assert not fits(gangs + 1, shares, holds)


def test_a_gang_takes_one_bundle_of_each_of_its_nodes():
    worker = {"CPU": 4.0, "GPU": 1.0}
    assert bundles(worker, 8, 1) == [{"CPU": 32.0, "GPU": 8.0}]
    assert bundles(worker, 5, 2) == [{"CPU": 12.0, "GPU": 3.0}, {"CPU": 8.0, "GPU": 2.0}]


@pytest.mark.parametrize(
    ("options", "there", "said"),
    [
        ({"workers_per_trial": 4, "gpus_per_worker": 1.0}, [Node(cpus=64, gpus=2)],
         "--workers-per-trial 4 with --gpus-per-worker 1: one trial needs 4 GPUs, the cluster has 2"),
        ({"cpus_per_worker": 4.0}, [Node(cpus=2, gpus=1)], "with --cpus-per-worker 4: one trial needs 4 CPUs"),
        ({"cpus_per_worker": 4.0}, [Node(cpus=3, count=2)], "in nodes that cannot hold equal shares of its workers"),
        ({"workers_per_trial": 6, "gpus_per_worker": 1.0}, [Node(cpus=64, gpus=5), Node(cpus=64, gpus=1)],
         "the cluster has 6, in nodes that cannot"),
    ],
)  # fmt: skip
def test_a_gang_that_no_cluster_of_this_size_holds_is_refused(options, there, said):
    with pytest.raises(UserError) as told:
        place(make_spec(name="x", **options), room(*there))
    assert said in str(told.value)


def test_where_an_autoscalers_limits_are_known_gangs_are_counted_by_them():
    grown = room(HEAD, most=(HEAD, Node(cpus=32, gpus=4, count=8)), joined=True)
    placement = place(make_spec(name="x"), grown)
    assert (placement.slots, placement.gpus) == (32, 1.0)
    assert placement.remarks == (
        "the cluster has 0 GPUs now and may grow to 32: 32 trials at a time, of which 0 need not wait for nodes",
    )
    assert place(make_spec(name="x", workers_per_trial=8), grown).nodes == 2


def test_what_is_asked_for_of_an_empty_cluster_is_believed_and_of_one_that_is_not_empty_counted():
    asked = make_spec(name="x", max_concurrent=8, gpus_per_worker=1.0)
    placement = place(asked, room(HEAD, joined=True))
    assert placement.slots == 8
    assert "8 trials at a time, of which 0 need not wait for nodes" in placement.remarks[0]
    assert place(asked, room(HEAD, Node(cpus=8, gpus=2), joined=True)).slots == 2
    with pytest.raises(UserError, match="say how many: --max-concurrent and --gpus-per-worker"):
        place(make_spec(name="x"), room(HEAD, joined=True))
    with pytest.raises(UserError, match=r"needs 1 GPUs, the cluster has 0$"):
        place(asked, room(Node(cpus=2)))


def test_a_driver_that_may_be_taken_away_is_told():
    placement = place(make_spec(name="x"), room(Node(cpus=2), joined=True, on_spot=True))
    assert "runs on a spot node" in placement.warnings[0]


def test_growth_is_what_the_autoscalers_configuration_allows():
    kinds = {
        "head": {"resources": {"CPU": 0}, "max_workers": 0},
        "gpu": {"resources": {"CPU": 48, "GPU": 4}, "max_workers": 6},
        "small": {"resources": {"CPU": 8}, "max_workers": 20},
    }
    found = read_growth({"max_workers": 10, "head_node_type": "head", "available_node_types": kinds})
    assert found == (Node(cpus=48, gpus=4, count=6), Node(cpus=8, count=4))


def test_machines_listed_by_address_are_no_growth():
    kinds = {"local.cluster.node": {"resources": {}, "node_config": {}}}
    listed = {"max_workers": 3, "head_node_type": "local.cluster.node", "available_node_types": kinds}
    assert read_growth(listed) == ()
