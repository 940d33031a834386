"""Contenders of the finals that cost no training: ensembles of what was trained."""

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from optuna.trial import FrozenTrial

from searchspace.finals.ensembles.proposal import EnsembleProposal
from searchspace.finals.select_winner import FinalistPredictions
from searchspace.spec import SearchSpec

logger = logging.getLogger(__name__)

MAX_ENSEMBLE_MEMBERS = 3
"""Finalists that an ensemble joins where the search kept no predictions: the first by the search score, so that no
re-score influences the choice."""


def extra_contenders(
    spec: SearchSpec, chosen: Sequence[FrozenTrial], contenders: Sequence[FinalistPredictions],
    proposal: EnsembleProposal | None = None,
) -> list[FinalistPredictions]:  # fmt: skip
    """The proposed ensemble, if all its members were trained again.

    With `--ensemble`, and none proposed, that of the first of the `chosen` finalists, if their seeds allow it.
    """
    trained = {contender.members: contender for contender in contenders}
    if proposal and all((number,) in trained for number in proposal.members):
        ensemble = make_ensemble([trained[number,] for number in proposal.members], proposal.counts)
    elif spec.ensemble:
        joined = [trained[trial.number,] for trial in chosen if (trial.number,) in trained]
        ensemble = make_ensemble(joined[:MAX_ENSEMBLE_MEMBERS])
    else:
        return []
    if ensemble is None:
        logger.info("no ensemble: it takes two finalists that ended with the same seed")
    return [ensemble] if ensemble else []


def make_ensemble(members: Sequence[FinalistPredictions], counts: Sequence[int] = ()) -> FinalistPredictions | None:
    """The mean probabilities of `members`, seed by seed; None where no seed completed for all of them.

    Each counts as often as `counts` says, or once. A member that does not depend on its seed has the same for all.
    """
    varying = [set(member.probabilities) for member in members if not member.deterministic]
    seeds = set[int].intersection(*varying) if varying else {0}
    if len(members) < 2 or not seeds:
        return None
    counted = tuple(counts) or (1,) * len(members)
    means = {seed: _mean([_at(member, seed) for member in members], counted) for seed in sorted(seeds)}
    tried = max(member.tried for member in members)
    return FinalistPredictions(
        members=tuple(number for member in members for number in member.members), search_score=None, full_length=False,
        probabilities=means, lost=tried - len(means), seconds=sum(member.seconds for member in members),
        deterministic=all(member.deterministic for member in members),
        counts=counted if len(set(counted)) > 1 else (),
    )  # fmt: skip


def _at(member: FinalistPredictions, seed: int) -> NDArray[np.float32]:
    return next(iter(member.probabilities.values())) if member.deterministic else member.probabilities[seed]


def _mean(each: Sequence[NDArray[np.float32]], counts: Sequence[int]) -> NDArray[np.float32]:
    found: NDArray[np.float32] = np.average(np.stack(each), axis=0, weights=counts).astype(np.float32)
    return found
