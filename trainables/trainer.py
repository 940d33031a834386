"""Ray Train's trainer as gangs use it: without the helper processes that a gang has no use for.

Measured on two cores, `TorchTrainer` spent some 8 CPU seconds a gang on torch in its controller, an actor for Ray Data
(no gang reads any), an actor that watches the placement group (the pool cleans up itself) and one that asks an
autoscaler (which sees the waiting placement group anyway): most of a cold start.
"""

from pathlib import Path
from typing import Any

import ray
from ray.train.backend import BackendConfig
from ray.train.v2._internal.execution.controller import TrainController
from ray.train.v2._internal.execution.scaling_policy import FixedScalingPolicy
from ray.train.v2._internal.execution.worker_group import WorkerGroup
from ray.train.v2._internal.execution.worker_group.placement_group_handle import DefaultPlacementGroupHandle
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer
from ray.util.placement_group import get_placement_group, placement_group, remove_placement_group
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

LOOPBACK = "127.0.0.1"
"""Address of the only node, where a search started its own Ray."""
NEEDLESS = {"DatasetsCallback", "PlacementGroupCleanerCallback"}
"""Ray Train's callbacks that start an actor of their own, by class name."""


class GangTrainer(DataParallelTrainer):
    """Keeps one gang's workers running `train_loop_per_worker`, and restarts them when one dies."""

    def __init__(self, **options: Any) -> None:
        """Take `DataParallelTrainer`'s options; the run's folder and name must be no other gang's."""
        super().__init__(**options, backend_config=_backend(options["scaling_config"]))

    def _create_default_callbacks(self) -> list[Any]:
        found = super()._create_default_callbacks()
        return [callback for callback in found if type(callback).__name__ not in NEEDLESS]

    def _initialize_and_run_controller(self, **arguments: Any) -> Any:
        # Ray gives the controller a runtime environment, so it waits for the agent that builds those; this
        # project's workers have the same variables from the start.
        arguments["scaling_policy"] = FixedSize(arguments["train_run_context"].scaling_config)
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        remote: Any = ray.remote(GangController)
        controller = remote.options(num_cpus=0, scheduling_strategy=here).remote(**arguments)
        ray.get(controller.run.remote())
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


class NamedWorkers(WorkerGroup):
    """Workers on a placement group that can be found by its name, whenever the controller dies."""

    def _create_placement_group(self, _scaling: Any, worker_group_context: Any) -> DefaultPlacementGroupHandle:
        held = placement_group(
            [worker_group_context.resources_per_worker] * worker_group_context.num_workers,
            strategy=worker_group_context.placement_strategy,
            name=_holding(self._train_run_context.run_config),
            bundle_label_selector=worker_group_context.label_selector,
        )
        return DefaultPlacementGroupHandle(held)


class GangController(TrainController):
    """Ray Train's controller, of such workers."""

    worker_group_cls = NamedWorkers


def _holding(run: Any) -> str:
    """Name of the placement group of a run."""
    return str(Path(str(run.storage_path)) / str(run.name))


def _backend(scaling: Any) -> BackendConfig:
    """A process group where there are several workers; alone, a worker needs neither it nor torch in its controller."""
    if scaling.num_workers == 1:
        return BackendConfig()
    here: Any = ray.util
    if here.get_node_ip_address() == LOOPBACK:
        from trainables.loopback import LoopbackConfig

        return LoopbackConfig()
    from trainables.network import NetworkConfig

    return NetworkConfig()
