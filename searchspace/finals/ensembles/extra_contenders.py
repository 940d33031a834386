"""Contenders of the finals that cost no training: ensembles of the finalists."""

import logging
from collections.abc import Sequence

import numpy as np
from optuna.trial import FrozenTrial

from searchspace.finals.select_winner import FinalistPredictions
from searchspace.spec import SearchSpec

logger = logging.getLogger(__name__)

MAX_ENSEMBLE_MEMBERS = 3
"""Finalists that an ensemble joins: the first by the search score, so that no re-score influences the choice."""


def extra_contenders(
    spec: SearchSpec, chosen: Sequence[FrozenTrial], contenders: Sequence[FinalistPredictions]
) -> list[FinalistPredictions]:
    """The ensemble of the first of the `chosen` finalists, if the search asks for one and their seeds allow it."""
    if not spec.ensemble:
        return []
    numbers = {(trial.number,) for trial in chosen}
    ensemble = make_ensemble([c for c in contenders if c.members in numbers][:MAX_ENSEMBLE_MEMBERS])
    if ensemble is None:
        logger.info("no ensemble: it takes two finalists that ended with the same seed")
        return []
    return [ensemble]


def make_ensemble(members: Sequence[FinalistPredictions]) -> FinalistPredictions | None:
    """The mean probabilities of `members`, seed by seed; None where no seed completed for all of them."""
    seeds = set[int].intersection(*(set(member.probabilities) for member in members))
    means = {seed: np.mean([member.probabilities[seed] for member in members], axis=0) for seed in sorted(seeds)}
    if len(members) < 2 or not means:
        return None
    tried = max(member.tried for member in members)
    return FinalistPredictions(
        members=tuple(number for member in members for number in member.members), search_score=None, full_length=False,
        probabilities=means, lost=tried - len(means), seconds=sum(member.seconds for member in members),
        deterministic=all(member.deterministic for member in members),
    )  # fmt: skip
