"""Private parts of Ray Train, from which gangs get a trainer without the helper processes that they do not need.

Measured on two cores, Ray's own trainer spent some 8 CPU seconds a gang on torch in its controller, an actor for Ray
Data (no gang reads any), an actor that watches the placement group (the pool removes that itself) and one that asks an
autoscaler (which sees the waiting placement group anyway): most of a cold start.

Importing this module raises ImportError where a release of Ray lacks a part; `trainer.py` then takes the public one.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import ray
from ray.train import ScalingConfig
from ray.train.v2._internal.callbacks import DatasetsCallback
from ray.train.v2._internal.callbacks.placement_group_callback import PlacementGroupCleanerCallback
from ray.train.v2._internal.callbacks.preemption_callback import PreemptionCallback
from ray.train.v2._internal.execution.callback import WorkerGroupCallback
from ray.train.v2._internal.execution.controller import TrainController
from ray.train.v2._internal.execution.preemption import PreemptionWatcher
from ray.train.v2._internal.execution.scaling_policy import FixedScalingPolicy
from ray.train.v2._internal.execution.worker_group import WorkerGroup
from ray.train.v2._internal.execution.worker_group.placement_group_handle import DefaultPlacementGroupHandle
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

from trainables.workers.gang_resources import HEAD, placement_group_name, reserve, shares_of

NEEDLESS = (DatasetsCallback, PlacementGroupCleanerCallback)
"""Callbacks of Ray Train that start an actor each."""
OVERRIDDEN: tuple[tuple[Any, str, tuple[str, ...]], ...] = (
    (DataParallelTrainer, "_create_default_callbacks", ()),
    (DataParallelTrainer, "_initialize_and_run_controller", ("controller_init_kwargs",)),
    (FixedScalingPolicy, "after_controller_start", ("train_run_context",)),
    (FixedScalingPolicy, "_maybe_send_resource_request", ()),
    (WorkerGroupCallback, "before_worker_group_shutdown", ("worker_group",)),
    (WorkerGroup, "_create_placement_group", ("scaling_config", "worker_group_context")),
    (WorkerGroup, "_create_workers", ("num_workers", "placement_group")),
    (PreemptionCallback, "after_worker_group_start", ("worker_group",)),
    (PreemptionCallback, "_stop_watcher", ()),
    (TrainController, "run", ()),
    (TrainController, "get_result", ()),
)
"""Methods that are overridden or called here: class, name, first parameters."""


def check_parts(parts: Sequence[tuple[Any, str, tuple[str, ...]]] = OVERRIDDEN) -> None:
    """Raise ImportError that names the first method which this release of Ray lacks or has with other parameters."""
    for owner, name, expected in parts:
        method = getattr(owner, name, None)
        if method is None:
            raise ImportError(f"Ray {ray.__version__}: {owner.__qualname__} has no method {name}")
        found = tuple(inspect.signature(method).parameters)[1:]
        if found[: len(expected)] != expected:
            raise ImportError(
                f"Ray {ray.__version__}: {owner.__qualname__}.{name} takes {found}, expected to begin with {expected}"
            )


check_parts()


class NotNeededError(Exception):
    """A gang that has no workers is not to get any."""


@dataclass
class GangScaling(ScalingConfig):
    """Ray Train's scaling configuration, and the number of nodes that the workers lie on."""

    nodes: int = 1
    """Each has an equal share of the workers; shares differ by one worker at most."""


class LeanTrainer(DataParallelTrainer):
    """`DataParallelTrainer` without Ray's helper processes, whose controller runs on the head node."""

    def __init__(self, on_loss: Callable[[], None], is_needed: Callable[[Any], bool], **options: Any) -> None:
        """Take `DataParallelTrainer`'s options.

        `on_loss` is called in the controller when workers have ended. `is_needed` waits for the end of the controller,
        whose object reference it is given; False if the gang is not needed any more, so that the controller is killed.
        """
        super().__init__(**options)
        self._on_loss, self._is_needed = on_loss, is_needed

    def _create_default_callbacks(self) -> list[Any]:
        found = super()._create_default_callbacks()
        return [*(one for one in found if not isinstance(one, NEEDLESS)), _LossCallback(self._on_loss)]

    def _initialize_and_run_controller(self, **arguments: Any) -> Any:
        # Ray gives the controller a runtime environment, so it waits for the agent that builds those; this
        # project's workers have the same variables from the start.
        arguments["scaling_policy"] = _FixedSize(arguments["train_run_context"].scaling_config)
        remote: Any = ray.remote(GangController)
        controller = remote.options(num_cpus=0, resources=HEAD).remote(**arguments)
        run = controller.run.remote()
        if not self._is_needed(run):
            ray.kill(controller)
            raise NotNeededError
        ray.get(run)
        return ray.get(controller.get_result.remote())


class _NamedWorkers(WorkerGroup):
    """Workers in one bundle a node, whose placement group has a name by which it is found after the controller's death.

    With a bundle a worker, Ray would spread a large gang over all nodes that have room: each node's network would
    serve all gangs, and the loss of one node would end them all.
    """

    def _create_placement_group(self, scaling_config: Any, worker_group_context: Any) -> DefaultPlacementGroupHandle:
        workers, each = worker_group_context.num_workers, worker_group_context.resources_per_worker
        name = placement_group_name(self._train_run_context.run_config)
        return DefaultPlacementGroupHandle(reserve(each, workers, scaling_config.nodes, name))

    def _create_workers(self, num_workers: int, placement_group: Any, *arguments: Any, **options: Any) -> Any:
        scaling: Any = self._train_run_context.scaling_config
        shares = enumerate(shares_of(num_workers, scaling.nodes))
        options["placement_group_bundle_indices"] = [bundle for bundle, share in shares for _ in range(share)]
        return super()._create_workers(num_workers, placement_group, *arguments, **options)


class GangController(TrainController):
    """Ray Train's controller, of workers whose places have a name; its preemption watcher runs on the head node."""

    worker_group_cls = _NamedWorkers

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Take `TrainController`'s arguments."""
        super().__init__(*arguments, **options)
        callbacks: list[Any] = self._worker_group_callbacks_to_propagate
        callbacks[:] = [_HeadWatcher() if isinstance(one, PreemptionCallback) else one for one in callbacks]


class _FixedSize(FixedScalingPolicy):
    """As many workers as asked for; an autoscaler sees the placement group that waits for them."""

    def after_controller_start(self, train_run_context: Any) -> None:
        """Ask no coordinator of resources."""

    def _maybe_send_resource_request(self) -> None:
        pass


class _LossCallback(WorkerGroupCallback):
    """Reports at once that a gang's workers have ended."""

    def __init__(self, on_loss: Callable[[], None]) -> None:
        self._on_loss = on_loss

    def before_worker_group_shutdown(self, worker_group: Any) -> None:  # noqa: ARG002  # Ray Train's signature
        """Called when a worker has died, and when all have ended."""
        self._on_loss()


class _HeadWatcher(PreemptionCallback):
    """Starts the preemption watcher on the head; Ray would start it on any node, which then is never idle."""

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
