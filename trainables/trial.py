"""The Tune trainable: a trial as Tune sees it, while a gang trains it."""

from typing import Any

import ray
from ray import tune

from trainables.config import Assignment
from trainables.workers.slot_client import SlotClient


class TrialTrainable(tune.Trainable):
    """Holds one slot for as long as its actor lives, and trains one trial after another on that slot's gang."""

    def setup(self, config: dict[str, Any], broker: Any = None) -> None:
        """Claim a slot, and begin the first trial on it."""
        this = ray.get_runtime_context().current_actor
        # Gangs start in the order of their slots, so the first trials go to those that are warm first.
        self.client = SlotClient(broker, preferred=config["preferred_slot"], owner=this)
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Begin the next trial; the gang stays warm."""
        self.client.assign(Assignment.model_validate_json(new_config["assignment"]))
        return True

    def step(self) -> dict[str, Any]:
        """Wait for the gang's next report. That it ends a trial is the scheduler's decision, too."""
        report = self.client.next_report()
        return {"epoch": report.epoch, "objective_value": report.objective_value, "report": report.model_dump_json()}

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:  # noqa: ARG002  # Tune calls it so
        """Nothing of Tune's: gangs keep their own checkpoints, and the study is the record."""
        return {}

    def cleanup(self) -> None:
        """Give the slot back; a trial that is in an epoch then was cut off, and what it reported is all that counts."""
        self.client.release(abandon=True)
