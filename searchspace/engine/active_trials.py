"""The trials of a search that are not over: what each is, and how far it came."""

from dataclasses import dataclass, field

import optuna

from trainables.config import Assignment, EpochReport
from trainables.models.model_registry import learning_kind


@dataclass
class Running:
    """One trial that the study has been asked for, and not been told the end of."""

    trial: optuna.Trial
    """The study's handle."""
    assignment: Assignment
    """What a gang is given, at each go."""
    curve: list[EpochReport] = field(default_factory=list)
    """Its reports so far."""
    audited: bool = False
    """Whether it runs on although it was held back, to see what that costs."""
    losses: int = 0
    """Trial actors that died with it."""

    @property
    def last(self) -> EpochReport:
        """Its newest report."""
        return self.curve[-1]

    def next_go(self) -> Assignment:
        """What a gang is given now."""
        return self.assignment.model_copy(update={"known": self.last.epoch if self.curve else 0})

    @property
    def kind(self) -> str:
        """Kind of its network."""
        return learning_kind(self.assignment.config)

    def take(self, report: EpochReport) -> bool:
        """Add a report; False for an epoch that is known, which a resumed trial repeats."""
        if self.curve and self.last.epoch >= report.epoch and report.status != "failed":
            return False
        self.curve.append(report)
        return True
