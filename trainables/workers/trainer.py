"""Ray Train's trainer as gangs use it: without the helper processes that a gang has no use for.

Measured on two cores, `TorchTrainer` spent some 8 CPU seconds a gang on torch in its controller, an actor for Ray Data
(no gang reads any), an actor that watches the placement group (the pool cleans up itself) and one that asks an
autoscaler (which sees the waiting placement group anyway): most of a cold start.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.train import ScalingConfig
from ray.train.backend import BackendConfig
from ray.train.v2._internal.callbacks.preemption_callback import PreemptionCallback
from ray.train.v2._internal.execution.callback import WorkerGroupCallback
from ray.train.v2._internal.execution.controller import TrainController
from ray.train.v2._internal.execution.scaling_policy import FixedScalingPolicy
from ray.train.v2._internal.execution.worker_group import WorkerGroup
from ray.train.v2._internal.execution.worker_group.placement_group_handle import DefaultPlacementGroupHandle
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer
from ray.util.placement_group import PlacementGroup, get_placement_group, placement_group, remove_placement_group

from trainables.workers.gang_resources import HEAD
from trainables.workers.preemption_watcher import WatchFromHead

LOOPBACK = "127.0.0.1"
"""Address of the only node, where a search started its own Ray."""
NEEDLESS = {"DatasetsCallback", "PlacementGroupCleanerCallback"}
"""Ray Train's callbacks that start an actor of their own, by class name."""


class Dropped(Exception):  # noqa: N818  # no error: the gang was not needed
    """A gang that had no workers yet, or no more, is not to get any."""


@dataclass
class Share(ScalingConfig):
    """Ray Train's scaling configuration, and how many nodes the workers lie on."""

    nodes: int = 1
    """Each has an equal share of the workers, to one."""


class GangTrainer(DataParallelTrainer):
    """Keeps one gang's workers running `train_loop_per_worker`, and restarts them when one dies."""

    def __init__(self, mailbox: Any, slot: int, **options: Any) -> None:
        """Take `DataParallelTrainer`'s options; the run's folder and name must be no other gang's."""
        super().__init__(**options, backend_config=_backend(options["scaling_config"]))
        self._mailbox, self._slot = mailbox, slot

    def _create_default_callbacks(self) -> list[Any]:
        found = super()._create_default_callbacks()
        kept = [callback for callback in found if type(callback).__name__ not in NEEDLESS]
        return [*kept, LossTold(self._mailbox, self._slot)]

    def _initialize_and_run_controller(self, **arguments: Any) -> Any:
        # Ray gives the controller a runtime environment, so it waits for the agent that builds those; this
        # project's workers have the same variables from the start.
        arguments["scaling_policy"] = FixedSize(arguments["train_run_context"].scaling_config)
        remote: Any = ray.remote(GangController)
        controller = remote.options(num_cpus=0, resources=HEAD).remote(**arguments)
        run, dropped = controller.run.remote(), self._mailbox.dropped.remote(self._slot)
        done, _ = ray.wait([run, dropped])
        if dropped in done and ray.get(dropped):
            ray.kill(controller)
            raise Dropped
        ray.get(run)
        return ray.get(controller.get_result.remote())

    def give_back(self) -> None:
        """Remove what a dead controller left behind; Ray would keep it until the end of the search."""
        try:
            held = get_placement_group(_holding(self.run_config))
        except ValueError:  # there is none of this name
            return
        remove_placement_group(held)


class FixedSize(FixedScalingPolicy):
    """As many workers as asked for; the placement group that waits for them is what an autoscaler sees."""

    def after_controller_start(self, train_run_context: Any) -> None:
        """Ask no coordinator."""

    def _maybe_send_resource_request(self) -> None:
        pass


class LossTold(WorkerGroupCallback):
    """Tells the mailbox as soon as a gang's workers are no more, so that their trial can go on elsewhere."""

    def __init__(self, mailbox: Any, slot: int) -> None:
        """Tell it of the gang of `slot`."""
        self._mailbox, self._slot = mailbox, slot

    def before_worker_group_shutdown(self, worker_group: Any) -> None:  # noqa: ARG002  # Ray Train's signature
        """Called when a worker has died, and when all have ended."""
        self._mailbox.lost.remote(self._slot)


class NamedWorkers(WorkerGroup):
    """Workers whose places are one bundle a node, and can be found by a name, whenever the controller dies.

    With a bundle a worker, Ray would spread a large gang over all nodes that have room: each node's network would
    serve all gangs, and each node's end would end them all.
    """

    def _create_placement_group(self, scaling: Any, worker_group_context: Any) -> DefaultPlacementGroupHandle:
        workers, each = worker_group_context.num_workers, worker_group_context.resources_per_worker
        return DefaultPlacementGroupHandle(
            hold(each, workers, scaling.nodes, _holding(self._train_run_context.run_config))
        )

    def _create_workers(self, num_workers: int, placement_group: Any, *arguments: Any, **options: Any) -> Any:
        scaling: Any = self._train_run_context.scaling_config
        shares = enumerate(shares_of(num_workers, scaling.nodes))
        options["placement_group_bundle_indices"] = [bundle for bundle, share in shares for _ in range(share)]
        return super()._create_workers(num_workers, placement_group, *arguments, **options)


def hold(worker: Mapping[str, float], workers: int, nodes: int, name: str) -> PlacementGroup:
    """Ask for a gang's places: in one node, or in shares on so many different ones. They may have to be waited for."""
    strategy = "STRICT_PACK" if nodes == 1 else "STRICT_SPREAD"
    held: PlacementGroup = placement_group(bundles(worker, workers, nodes), strategy=strategy, name=name)
    return held


def bundles(worker: Mapping[str, float], workers: int, nodes: int) -> list[dict[str, float]]:
    """What a gang takes of each node that it lies on."""
    return [{kind: amount * share for kind, amount in worker.items()} for share in shares_of(workers, nodes)]


def shares_of(workers: int, nodes: int) -> Sequence[int]:
    """Workers on each node, the larger shares first."""
    return [workers // nodes + (index < workers % nodes) for index in range(nodes)]


class GangController(TrainController):
    """Ray Train's controller, of such workers."""

    worker_group_cls = NamedWorkers

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Take what Ray Train gives it; notices that nodes go are watched for from the head."""
        super().__init__(*arguments, **options)
        callbacks: list[Any] = self._worker_group_callbacks_to_propagate
        callbacks[:] = [WatchFromHead() if isinstance(one, PreemptionCallback) else one for one in callbacks]


def _holding(run: Any) -> str:
    """Name of the placement group of a run."""
    return str(Path(str(run.storage_path)) / str(run.name))


def _backend(scaling: Any) -> BackendConfig:
    """A process group where there are several workers; alone, a worker needs neither it nor torch in its controller."""
    if scaling.num_workers == 1:
        return BackendConfig()
    here: Any = ray.util
    if here.get_node_ip_address() == LOOPBACK:
        from trainables.workers.loopback_backend import LoopbackConfig

        return LoopbackConfig()
    from trainables.workers.network_backend import NetworkConfig

    return NetworkConfig()
