"""What the choice between families knows of one trial: its scores by epoch, and its seconds."""

from collections.abc import Sequence
from dataclasses import dataclass

from searchspace.families.family import Family
from trainables.config import EpochReport


@dataclass(frozen=True)
class TrialProgress:
    """One trial so far."""

    family: Family
    """Its family."""
    epochs: tuple[int, ...] = ()
    """Epochs at which it was scored, ascending."""
    scores: tuple[float, ...] = ()
    """Its scores there."""
    seconds: float = 0.0
    """What it took so far, without `shared`."""
    shared: float = 0.0
    """Seconds of work that later trials may save, such as a frozen backbone's features."""
    failed: bool = False
    """Whether it failed."""

    @property
    def epoch(self) -> int:
        """Epochs trained; 0 before the first report."""
        return self.epochs[-1] if self.epochs else 0

    @property
    def pace(self) -> float:
        """Seconds an epoch."""
        return self.seconds / max(1, self.epoch)

    @property
    def best(self) -> float:
        """Its best score; minus infinity before the first."""
        return max(self.scores, default=float("-inf"))


def progress_of(family: Family, curve: Sequence[EpochReport]) -> TrialProgress:
    """The progress of a trial of `family` with these reports."""
    scored = [report for report in curve if report.status != "failed"]
    shared = sum(report.shared_seconds for report in curve)
    total = max((report.total_seconds for report in curve), default=0.0)
    return TrialProgress(
        family=family, epochs=tuple(report.epoch for report in scored), scores=tuple(report.score for report in scored),
        seconds=max(0.0, total - shared), shared=shared, failed=len(scored) < len(curve),
    )  # fmt: skip
