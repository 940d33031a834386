"""Measurements of a probe: the time of a step and of a trial of one configuration, and its memory."""

from pathlib import Path

from trainables.config import Frozen, TrialConfig
from trainables.storage.files import read_record, write_file

TIMING = "timing.json"
"""The file that a probe leaves in its assignment's folder."""


class Timing(Frozen):
    """What training one configuration takes, as measured on a gang; a reason says that it cannot be trained."""

    config: TrialConfig
    """What was timed."""
    steps: int = 0
    """Optimizer steps an epoch."""
    step_seconds: float = 0.0
    """Seconds a step, waiting for its images included: the mean of those timed."""
    evaluation_seconds: float = 0.0
    """Seconds to score the whole validation split."""
    setup_seconds: float = 0.0
    """Seconds from the assignment's arrival to the first step."""
    once_seconds: float = 0.0
    """Seconds that its frozen backbone takes to compute the features of all images, once; 0 where it need not."""
    features_mb: float = 0.0
    """Disk that those features take, in MB (10^6 bytes)."""
    memory_mb: float = 0.0
    """Peak memory of a worker, in MB: its GPU's, or, on a CPU, all that its process held."""
    checkpoint_mb: float = 0.0
    """Disk that a checkpoint takes, in MB."""
    parameters: int = 0
    """Parameters of the network, trained or frozen."""
    micro_batch: int = 0
    """Images of one forward pass a worker, where its share of the batch did not fit; else 0."""
    reason: str = ""
    """Why it cannot be trained; nothing else is known then."""

    @property
    def training_seconds(self) -> float:
        """Seconds of an epoch's steps."""
        return self.steps * self.step_seconds

    @property
    def epoch_seconds(self) -> float:
        """Seconds of an epoch, evaluation included."""
        return self.training_seconds + self.evaluation_seconds


def write_timing(folder: Path, timing: Timing) -> None:
    """Leave `timing` in a probe's folder."""
    write_file(folder / TIMING, timing.model_dump_json().encode())


def read_timing(folder: Path) -> Timing:
    """The timing that a probe left in its folder."""
    return read_record(folder / TIMING, Timing)
