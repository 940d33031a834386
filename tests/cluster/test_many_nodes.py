"""Gangs on eight nodes of eight GPUs: Ray hands these out as if they were there, and nothing here trains."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from searchspace.cluster.nodes import look_around
from searchspace.cluster.placement import count_gangs
from trainables.config import Assignment, EpochReport, TrialConfig
from trainables.storage.folder_sync import FolderSync
from trainables.storage.search_storage import SearchStorage
from trainables.workers import gang_pool, trainer
from trainables.workers.gang_pool import GangPool
from trainables.workers.gang_resources import GangResources, reserve
from trainables.workers.slot_state import GangInfo

NODES, GPUS = 8, 8


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """A head that trains nothing, and eight nodes; open, as it is gone before anybody else could come."""
    import ray
    from ray.cluster_utils import Cluster

    from searchspace.cluster.connect import WORKER_ENVIRONMENT
    from searchspace.ray_compat import RAY_VARIABLES

    with pytest.MonkeyPatch.context() as patch:
        for name, value in (RAY_VARIABLES | WORKER_ENVIRONMENT).items():
            patch.setenv(name, value)
        found = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
        for _ in range(NODES):
            found.add_node(num_cpus=16, num_gpus=GPUS, object_store_memory=100_000_000, wait=False)
        found.wait_for_nodes()
        ray.init(address=found.address, log_to_driver=False)
        yield
        ray.shutdown()
        found.shutdown()


def places(held: Any) -> list[str]:
    """The node of each bundle of a placement group that has its places."""
    import ray

    return list(ray.util.placement_group_table(held)["bundles_to_node_id"].values())


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize(
    ("workers", "gpus", "gangs", "spread"),
    [(1, 1.0, 64, 1), (3, 1.0, 16, 1), (8, 1.0, 8, 1), (1, 0.25, 256, 1), (12, 1.0, 4, 2), (16, 1.0, 4, 2),
     (24, 1.0, 2, 3), (64, 1.0, 1, 8)],
)  # fmt: skip
def test_ray_places_as_many_gangs_as_were_counted_and_not_one_more(workers, gpus, gangs, spread):
    from ray.util.placement_group import remove_placement_group

    cpus = 0.125 if gpus < 1 else 1.0
    assert count_gangs(workers, cpus, gpus, look_around(joined=True).nodes) == (gangs, spread)
    worker = {"CPU": cpus, "GPU": gpus}
    held = [reserve(worker, workers, spread, f"gang-{index}") for index in range(gangs)]
    assert [one.wait(60) for one in held] == [True] * gangs
    per_node: Counter[str] = Counter()
    for one in held:
        nodes = places(one)
        assert len(set(nodes)) == len(nodes) == spread
        per_node.update(dict(zip(nodes, [bundle["GPU"] for bundle in one.bundle_specs], strict=True)))
    assert max(per_node.values()) <= GPUS
    beyond = reserve(worker, workers, spread, "one more")
    assert not beyond.wait(1)
    for one in (*held, beyond):
        remove_placement_group(one)


def tiny_loop(args: dict[str, Any]) -> None:
    """What a gang's workers run here: they say where they are, and train nothing. No torch, no GPU is needed."""
    import ray
    import ray.train

    broker, slot, seen = args["broker"], args["slot"], ray.get_actor("seen")
    here = f"{ray.get_runtime_context().get_node_id()} {sorted(ray.get_gpu_ids())}"
    ray.get(seen.see.remote(slot, here))
    if ray.train.get_context().get_world_rank():
        return
    ray.get(broker.register.remote(slot, GangInfo(device=here, precision="fp32", threads=1)))
    sequence = 0
    while found := ray.get(broker.next_assignment.remote(slot, sequence)):
        sequence, assignment = found
        ray.get(seen.wait_for_all.remote())
        report = EpochReport(trial=assignment.trial, epoch=1, status="complete", slot=slot)
        ray.get(broker.report.remote(slot, sequence, report))


class Seen:
    """Where workers said they are, by slot."""

    def __init__(self, workers: int) -> None:
        self._workers, self._seen = workers, defaultdict[int, list[str]](list)
        self._all = asyncio.Event()

    async def see(self, slot: int, here: str) -> None:
        self._seen[slot].append(here)
        if sum(map(len, self._seen.values())) >= self._workers:
            self._all.set()

    async def wait_for_all(self) -> dict[int, list[str]]:
        await self._all.wait()
        return self._seen


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("cluster")
def test_gangs_larger_than_a_node_get_whole_nodes_each_worker_its_gpus(digits, tmp_path, monkeypatch):
    """Four gangs of four workers with four GPUs each: all 64, two nodes a gang."""
    import ray
    from ray.train.backend import BackendConfig

    monkeypatch.setattr(gang_pool, "gang_loop", tiny_loop)
    monkeypatch.setattr(trainer, "make_backend", lambda _workers: BackendConfig())
    seen: Any = ray.remote(Seen).options(name="seen", num_cpus=0, max_concurrency=100).remote(16)
    shape = GangResources(slots=4, workers=4, cpus=1, gpus=4, nodes=2, elastic=True)
    pool = GangPool(shape, digits, FolderSync(SearchStorage(folder=str(tmp_path))))
    tasks = [
        Assignment(trial=f"t{index}", kind="search", config=TrialConfig(), seed=0, max_epochs=1, folder=str(tmp_path))
        for index in range(4)
    ]
    assert [report.trial for report in pool.run_trials(tasks)] == ["t0", "t1", "t2", "t3"]
    said = ray.get(seen.wait_for_all.remote())
    pool.close()
    everywhere = [here for workers in said.values() for here in workers]
    assert len(everywhere) == len(set(everywhere)) == 16, "no two workers have the same GPUs of the same node"
    for workers in said.values():
        assert sorted(Counter(here.split()[0] for here in workers).values()) == [2, 2]
    nodes = Counter(here.split()[0] for here in everywhere)
    assert len(nodes) == NODES
    assert set(nodes.values()) == {2}
