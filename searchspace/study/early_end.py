"""The record that a search ended early: why, and what was left of it."""

from typing import TYPE_CHECKING

from pydantic import Field, TypeAdapter

from searchspace.budget.budget import Budget
from searchspace.families.enough import EndReason
from searchspace.study.study import parse_study_attribute, write_study_attribute
from trainables.config import Frozen

if TYPE_CHECKING:
    import optuna

    from searchspace.spec import SearchSpec
    from searchspace.study.study import StudyReader

EARLY_END = "ended early"
"""Record of the study: an `EarlyEnd`."""


class EarlyEnd(Frozen):
    """How a search ended before its trials and its time were used up."""

    reason: EndReason
    """Why it ended."""
    chance: float = Field(ge=0, le=1)
    """Of a better winner within what was left."""
    seconds_left: float | None
    """Seconds that the search might still have taken; None without a budget."""
    trials_left: int
    """Trials that might still have been trained, or trained on."""
    best: int
    """Number of the best trial at full length."""
    patience: int
    """`--patience` of the search then."""
    trials: int
    """`--trials` of the search then."""
    budget: Budget | None
    """Its budget then."""

    def holds_for(self, spec: "SearchSpec") -> bool:
        """Whether a resumed search has no more trials, budget or patience than when it ended."""
        return (self.patience, self.trials, self.budget) == (spec.patience, spec.trials, spec.budget)

    def describe(self) -> str:
        """One line: why it ended."""
        if self.reason is EndReason.NOISE_FLOOR:
            return f"ended early: trial {self.best} makes no validation error, and its loss is at the noise floor"
        left = (
            f"within the {self.trials_left:,} trials that are left" if self.seconds_left is None
            else f"in the {self.seconds_left / 60:.1f} min that are left"
        )  # fmt: skip
        return f"ended early: the chance of a better winner {left} is {self.chance:.1%} (patience {self.patience})"


def record_early_end(study: "optuna.Study", end: EarlyEnd) -> None:
    """Record that a search ended early."""
    write_study_attribute(study, EARLY_END, end.model_dump(mode="json"))


def read_early_end(study: "StudyReader") -> EarlyEnd | None:
    """How a search ended early; None where it did not. Raises `DamagedError` for what is no such record."""
    return parse_study_attribute(study, EARLY_END, TypeAdapter(EarlyEnd))


def recall_early_end(study: "optuna.Study", spec: "SearchSpec") -> EarlyEnd | None:
    """The same of a search that is resumed; one with other limits forgets it."""
    known = read_early_end(study)
    if known is None or known.holds_for(spec):
        return known
    write_study_attribute(study, EARLY_END, None)
    return None
