"""What a race saved: the finalists that had fewer trainings than the others, and why."""

from enum import StrEnum

import optuna
from pydantic import TypeAdapter

from searchspace.finals.formatting import format_difference
from searchspace.study.study import StudyReader, parse_study_attribute, write_study_attribute
from trainables.config import Frozen
from trainables.metrics.metric_registry import MetricName

RACE = "race"
"""Attribute of the study."""


class DropReason(StrEnum):
    """Why a finalist had fewer trainings than it could have."""

    BEHIND = "behind"
    """It was significantly behind the leader."""
    HOPELESS = "hopeless"
    """Its search score left it too little chance to be worth its cost: it was not trained again."""
    BUDGET = "budget"
    """Its next training would have taken longer than the budget leaves the finals."""
    DECIDED = "decided"
    """No other was left that could win."""


class DroppedFinalist(Frozen):
    """A finalist that had fewer trainings than it could have."""

    trial: int
    """Its trial."""
    trained: int
    """Trainings that it had, or with folds repetitions."""
    planned: int
    """Trainings that it could have had."""
    reason: DropReason
    """Why it had no more."""
    difference: float | None = None
    """How far its score is behind the winner's, or that of the search behind the best there; None where unknown."""

    def describe_reason(self, metric: MetricName) -> str:
        """`10.30 points behind in the search`: why it has no re-score."""
        if self.reason != DropReason.HOPELESS or self.difference is None:
            return "no time was left for it"
        return f"{format_difference(metric, self.difference)} behind in the search"

    def describe(self, metric: MetricName) -> str:
        """`trial 7 dropped after 1 of 3 seeds (9.10 points behind)`."""
        amount = "" if self.difference is None else f"{format_difference(metric, self.difference)} behind"
        how = f"after {self.trained} of {self.planned} seeds"
        if self.reason == DropReason.HOPELESS:
            return f"trial {self.trial} not trained again ({self.describe_reason(metric)})"
        if self.reason == DropReason.BUDGET:
            how = f"not trained beyond {self.trained} of {self.planned} seeds" if self.trained else "not trained again"
            return f"trial {self.trial} {how} (no time left for it)"
        if self.reason == DropReason.DECIDED:
            return f"trial {self.trial} alone in the race {how}"
        return f"trial {self.trial} dropped {how} ({amount})"


class RaceRecord(Frozen):
    """The trainings of a search's finals, and those that were saved."""

    trainings: int
    """Trainings that ended."""
    planned: int
    """Trainings of all finalists from all seeds, or on all folds."""
    dropped: tuple[DroppedFinalist, ...] = ()
    """Finalists that had fewer trainings than they could have."""
    closed_form: tuple[int, ...] = ()
    """Trials of finalists that one training says all of, as they do not depend on their seed."""

    def describe(self, metric: MetricName) -> str:
        """`finals: 4 of 9 trainings, 5 saved: trial 7 dropped after 1 of 3 seeds (9.10 points behind)`."""
        parts = [each.describe(metric) for each in self.dropped]
        if self.closed_form:
            numbers = ", ".join(map(str, self.closed_form))
            parts.append(f"trial{'s' * (len(self.closed_form) > 1)} {numbers} in closed form, which no seed changes")
        why = f": {', '.join(parts)}" if parts else ""
        saved = f", {self.planned - self.trainings} saved" if self.trainings < self.planned else ""
        return f"finals: {self.trainings} of {self.planned} trainings{saved}{why}"


def write_race(study: optuna.Study, record: RaceRecord) -> None:
    """Record the race of a search."""
    write_study_attribute(study, RACE, record.model_dump(mode="json"))


def read_race(study: StudyReader) -> RaceRecord | None:
    """The race of a search; None before its end, and for searches of earlier versions, which trained all."""
    return parse_study_attribute(study, RACE, TypeAdapter(RaceRecord))
