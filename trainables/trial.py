"""The Tune trainable: a trial as Tune sees it, while a gang trains it."""

from typing import Any

import ray
from ray import tune

from trainables.config import Assignment, EpochReport


class Trial(tune.Trainable):
    """Holds one slot for as long as its actor lives, and trains one trial after another on that slot's gang."""

    def setup(self, config: dict[str, Any], broker: Any = None) -> None:
        """Claim a slot, and begin the first trial on it."""
        self.broker = broker
        # Gangs start in the order of their slots, so the first trials go to those that are warm first.
        this = ray.get_runtime_context().current_actor
        self.slot: int = ray.get(broker.claim.remote(config["trial"], this))
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Begin the next trial; the gang stays warm."""
        assignment = Assignment.model_validate_json(new_config["assignment"])
        ray.get(self.broker.assign.remote(self.slot, assignment))
        return True

    def step(self) -> dict[str, Any]:
        """Wait for the gang's next report."""
        report: EpochReport = ray.get(self.broker.next_report.remote(self.slot))
        return {
            "epoch": report.epoch,
            "objective_value": report.objective_value,
            "report": report.model_dump_json(),
            "done": report.status != "running",
        }

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:  # noqa: ARG002  # Tune calls it so
        """Nothing of Tune's: gangs keep their own checkpoints, and the study is the memory."""
        return {}

    def cleanup(self) -> None:
        """Give the slot back."""
        ray.get(self.broker.release.remote(self.slot))
