"""Ray Train's watcher for notices that nodes are about to go, on the one node that stays."""

from typing import Any

import ray
from ray.train.v2._internal.callbacks.preemption_callback import PreemptionCallback
from ray.train.v2._internal.execution.preemption import PreemptionWatcher

from trainables.workers.gang_resources import HEAD


class WatchFromHead(PreemptionCallback):
    """Starts the watcher on the head; Ray would put it anywhere, and a node with a watcher is never idle."""

    def after_worker_group_start(self, worker_group: Any) -> None:
        """Watch the nodes of a worker group."""
        self._stop_watcher()
        workers = worker_group.get_workers()
        nodes = [worker.metadata.node_id for worker in workers]
        remote: Any = ray.remote(num_cpus=0, max_restarts=-1, resources=HEAD)(PreemptionWatcher)
        self._watcher = remote.remote(
            node_to_ranks={node: [rank for rank, its in enumerate(nodes) if its == node] for node in nodes},
            poll_interval_s=self._poll_interval_s,
            worker_actors_by_rank={rank: worker.actor for rank, worker in enumerate(workers)},
        )
