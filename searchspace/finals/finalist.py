"""A finalist with its re-scores, and the list of them that a study keeps."""

import math
from collections.abc import Sequence
from statistics import fmean, stdev

import optuna
from pydantic import ConfigDict, Field, TypeAdapter

from searchspace.finals.comparison import Comparison
from searchspace.study.study import StudyReader, parse_study_attribute, write_study_attribute
from trainables.config import Frozen

FINALISTS, WINNER_NAME = "finalists", "winner"
"""Attributes of the study: its finalists, the winner first, and the winner's name."""
ENSEMBLE = "ensemble"
"""Name of a finalist that consists of several trials."""


class Finalist(Frozen):
    """A finalist and its result."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)

    members: tuple[int, ...]
    """Number of its trial; several for an ensemble."""
    counts: tuple[int, ...] = ()
    """How often each member of an ensemble counts in the mean of their probabilities; empty: all alike."""
    search_score: float | None
    """Score in the search; None for an ensemble."""
    full_length: bool
    """Whether that score is of the full length."""
    scores: tuple[float, ...]
    """Validation score of each fresh training, or cross-validation over all its folds; higher is better."""
    val_losses: tuple[float, ...]
    """Validation cross-entropy of each, in nats."""
    fold_scores: tuple[float, ...] = ()
    """With folds, the score of each training on its own fold; else empty."""
    lost: int
    """Trainings that failed."""
    seconds: float
    """Duration of all its trainings together."""
    deterministic: bool = False
    """Whether no seed changes anything, as of a closed-form head: one training says all."""
    planned: int = 0
    """Trainings that it could have had; 0: as many as it had. One that was dropped from the race had fewer."""
    comparison: Comparison | None = Field(None, alias="behind")
    """How much better the winner is; None for the winner."""

    @property
    def name(self) -> int | str:
        """The number of its trial, or `ensemble`."""
        return self.members[0] if len(self.members) == 1 else ENSEMBLE

    @property
    def is_rescored(self) -> bool:
        """Whether it was trained again; if not, its score is the search's."""
        return bool(self.scores)

    @property
    def score(self) -> float:
        """Mean score over its seeds; of one that was not trained again the search's."""
        return fmean(self.scores) if self.scores else self.search_score or 0.0

    @property
    def deviation(self) -> float | None:
        """Standard deviation of one training's score, over its folds or seeds; None for one training."""
        trained = self.fold_scores or self.scores
        return stdev(trained) if len(trained) > 1 else None

    @property
    def val_loss(self) -> float:
        """Mean cross-entropy over its seeds, in nats; not a number for one that was not trained again."""
        return fmean(self.val_losses) if self.val_losses else math.nan

    @property
    def search_difference(self) -> float | None:
        """Search score minus re-score; None where the search stopped it early, or never scored it."""
        known = self.search_score is not None and self.full_length and self.is_rescored
        return self.search_score - self.score if known and self.search_score is not None else None


SCHEMA = TypeAdapter(tuple[Finalist, ...])


def write_finalists(study: optuna.Study, finalists: Sequence[Finalist]) -> None:
    """Record the finalists of a search, the winner first."""
    write_study_attribute(study, FINALISTS, [finalist.model_dump() for finalist in finalists])
    write_study_attribute(study, WINNER_NAME, finalists[0].name)


def read_finalists(study: StudyReader) -> tuple[Finalist, ...]:
    """The finalists of a search, the winner first; empty before the end of the finals."""
    return parse_study_attribute(study, FINALISTS, SCHEMA) or ()
