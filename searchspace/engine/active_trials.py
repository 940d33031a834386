"""The active trials of a search: state and progress of each trial that has not ended."""

from dataclasses import dataclass, field
from pathlib import Path

import optuna

from trainables.config import Assignment, EpochReport
from trainables.models.model_registry import learning_kind


@dataclass(eq=False)
class ActiveTrial:
    """One trial of the study that has not ended."""

    trial: optuna.Trial
    """The study's handle."""
    assignment: Assignment
    """What a gang trains, whenever the trial is suggested."""
    curve: list[EpochReport] = field(default_factory=list)
    """Its reports so far."""
    audited: bool = False
    """Whether it was stopped, and trains on to show what that costs."""
    waits: bool = False
    """Whether it was paused when an earlier part of the search ended."""
    losses: int = 0
    """Trial actors that died with it."""

    @property
    def number(self) -> int:
        """Its number in the study."""
        return self.trial.number

    @property
    def name(self) -> str:
        """Its name in assignments and reports."""
        return self.assignment.trial

    @property
    def folder(self) -> Path:
        """The folder of its checkpoints."""
        return Path(self.assignment.folder)

    @property
    def kind(self) -> str:
        """Kind of its network."""
        return learning_kind(self.assignment.config)

    @property
    def last(self) -> EpochReport:
        """Its newest report."""
        return self.curve[-1]

    @property
    def is_unfinished(self) -> bool:
        """Whether its newest report, if any, did not end it."""
        return not self.curve or self.last.status == "running"

    def next_assignment(self) -> Assignment:
        """The next assignment to a gang; epochs that are recorded are not reported again."""
        return self.assignment.model_copy(update={"known": self.last.epoch if self.curve else 0})

    def audit(self) -> None:
        """Train on past all rungs from now on."""
        self.assignment = self.assignment.model_copy(update={"rungs": ()})
        self.audited = True

    def add(self, report: EpochReport) -> bool:
        """Add a report; False for an epoch that is recorded, which a resumed trial repeats."""
        if self.curve and self.last.epoch >= report.epoch and report.status != "failed":
            return False
        self.curve.append(report)
        return True
