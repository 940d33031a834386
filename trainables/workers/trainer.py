"""The trainer of one gang: Ray Train keeps the gang's workers up, and starts them again when one has died."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import ray
from ray.train import FailureConfig, RunConfig, ScalingConfig, UserCallback
from ray.train.backend import BackendConfig
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

from trainables.ray_compat import node_address
from trainables.workers.gang_resources import GangResources, remove_reserved

LOOPBACK = "127.0.0.1"
"""Address of the only node, where a search started its own Ray."""
logger = logging.getLogger(__name__)


class GangTrainer:
    """Keeps the workers of one gang running a function."""

    def __init__(self, broker: Any, slot: int, resources: GangResources, folder: str) -> None:
        """Of the gang of `slot`; Ray Train keeps files of its own in `folder`."""
        self._broker, self._slot, self._resources = broker, slot, resources
        self._run = RunConfig(name=f"gang-{slot}", storage_path=folder, failure_config=FailureConfig(max_failures=-1))

    def fit(self, loop: Callable[[dict[str, Any]], None], config: dict[str, Any]) -> None:
        """Run `loop` on `config` in each worker until it returns in all of them.

        Returns earlier where the gang has no workers and is not needed any more. Raises what ended its controller.
        """
        options = {
            "train_loop_per_worker": loop, "train_loop_config": config,
            "backend_config": make_backend(self._resources.workers),
        }  # fmt: skip
        try:
            from trainables import ray_train_compat as lean
        except ImportError as error:
            logger.info("%s: gangs start with Ray Train's own helper processes", error)
            self._make_public(options).fit()
            return
        try:
            trainer = lean.LeanTrainer(
                partial(_report_loss, self._broker, self._slot), self._is_needed, **options, run_config=self._run,
                scaling_config=lean.GangScaling(**self._scaling, nodes=self._resources.nodes),
            )  # fmt: skip
            trainer.fit()
        except lean.NotNeededError:
            self.release()

    def release(self) -> None:
        """Remove the placement group that a dead controller left behind."""
        remove_reserved(self._run)

    @property
    def _scaling(self) -> dict[str, Any]:
        gang = self._resources
        return {"num_workers": gang.workers, "use_gpu": gang.gpus > 0, "resources_per_worker": gang.resources}

    def _is_needed(self, run: Any) -> bool:
        """Wait for the end of a controller, `run`; False as soon as its gang has no workers and is to get none."""
        dropped = self._broker.wait_until_unneeded.remote(self._slot)
        done, _ = ray.wait([run, dropped])
        return not (dropped in done and ray.get(dropped))

    def _make_public(self, options: dict[str, Any]) -> DataParallelTrainer:
        """Ray's own trainer, for a release without the private parts of the lean one.

        A gang takes 11.5 CPU seconds to start, not 6.4, and keeps the place that it waits for when it is not needed any
        more.
        """
        lost: Any = _ExceptionCallback(partial(_report_loss, self._broker, self._slot))
        run = RunConfig(
            name=self._run.name, storage_path=self._run.storage_path, failure_config=self._run.failure_config,
            callbacks=[lost],
        )  # fmt: skip
        strategy = "STRICT_PACK" if self._resources.nodes == 1 else "SPREAD"
        scaling = ScalingConfig(**self._scaling, placement_strategy=strategy)
        return DataParallelTrainer(**options, scaling_config=scaling, run_config=run)


class _ExceptionCallback(UserCallback):
    """Reports that a gang's workers have failed."""

    def __init__(self, on_loss: Callable[[], None]) -> None:
        self._on_loss = on_loss

    def after_exception(self, run_context: Any, worker_exceptions: dict[int, Exception]) -> None:  # noqa: ARG002  # Ray Train's signature
        """Called in the controller."""
        self._on_loss()


def _report_loss(broker: Any, slot: int) -> None:
    """Tell the broker that a gang's workers are gone, so that their trial resumes elsewhere."""
    broker.mark_lost.remote(slot)


def make_backend(workers: int) -> BackendConfig:
    """A process group for several workers; one worker needs neither it nor torch in its controller."""
    if workers == 1:
        return BackendConfig()
    from trainables.workers.process_group_backends import LoopbackConfig, NetworkConfig

    return LoopbackConfig() if node_address() == LOOPBACK else NetworkConfig()
