"""Warm start: the best configurations of earlier searches are tried first, and their scores inform the sampler."""

import copy
import logging
from collections.abc import Sequence
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from searchspace.finals.race.field import choose_finalists
from searchspace.finals.validation_images import recorded_validation
from searchspace.sampling.sampler_registry import SAMPLERS, SamplerName
from searchspace.sampling.transfer import Draw, known_values, transfer_configs, transfer_trials
from searchspace.sampling.window import choose_window
from searchspace.spec import SearchSpec, load_facts, load_spec
from searchspace.storage.open_results import open_results
from searchspace.storage.search_folder import SEARCH_RECORD
from searchspace.study.refusals import is_refused
from searchspace.study.study_snapshot import read_study
from searchspace.study.trial_attributes import read_config
from trainables.common.errors import UserError
from trainables.data.store.data_summary import DataSummary
from trainables.storage.object_store.remote import check_recorded_location

logger = logging.getLogger(__name__)

BEST_OF_EACH = 3
"""Configurations of each earlier search that are tried first."""

COMPARABLE_OPTIONS = ("metric", "max_epochs", "grace_epochs")
"""Options that make scores on the same data mean the same."""


def read_best_configs(folders: Sequence[str]) -> list[dict[str, Any]]:
    """The best configurations of earlier searches, one of each search in turn: all hyperparameters and parameters.

    Raises `UserError` for a folder that holds no search.
    """
    best = [choose_finalists(_trials(folder), BEST_OF_EACH) for folder in folders]
    ranked = [trials[place] for place in range(BEST_OF_EACH) for trials in best if place < len(trials)]
    return list({read_config(trial): known_values(trial) for trial in reversed(ranked)}.values())[::-1]


def choose_warm_start(spec: SearchSpec, draw: Draw) -> list[dict[str, Any]]:
    """The parameters of the best earlier configurations that the space of `draw` takes; one log line says what differs.

    Raises `UserError` for a folder that holds no search.
    """
    found = transfer_configs(read_best_configs(spec.warm_start), draw)
    if found.changes:
        logger.info(f"--warm-start, as this search's space differs: {found.changes}")
    return found.values


def read_earlier_trials(
    spec: SearchSpec, data: DataSummary, draw: Draw, sampler: SamplerName, resumed: bool = False
) -> list[FrozenTrial]:
    """The comparable trials as they are in the space of `draw`, as many as a `sampler` sees.

    Samplers that model all parameters at once see those trials alone of which all are known. Raises `UserError` as
    `read_comparable_trials` does.
    """
    seen = choose_window(read_comparable_trials(spec, data, resumed))
    return transfer_trials(seen, draw, whole=SAMPLERS[sampler].full_length_only)


def read_comparable_trials(spec: SearchSpec, data: DataSummary, resumed: bool = False) -> list[FrozenTrial]:
    """Trials whose scores are comparable: on the same data and validation images, by the same metric, epochs and rungs.

    They have numbers below zero, and only the sampler sees them. Of searches on other data only the best configurations
    are used. Raises `UserError` for a search that cannot be read; if this one is `resumed`, it logs a warning instead.
    """
    found: list[FrozenTrial] = []
    for folder in spec.warm_start:
        try:
            here = open_results(_check_recorded(folder) if resumed else folder).folder
            other = load_spec(here)
        except UserError as error:
            if not resumed:
                raise
            logger.warning(f"without what --warm-start {folder!r} knew: {error}")
            continue
        same = load_facts(here).get("data", {}).get("fingerprint") == data.fingerprint
        same &= (recorded_validation(here).source == "held back") == (data.finals.source == "held back")
        if same and all(getattr(other, name) == getattr(spec, name) for name in COMPARABLE_OPTIONS):
            found += [t for t in _trials(folder) if t.state in {TrialState.COMPLETE, TrialState.PRUNED}]
    return [_renumbered(trial, index - len(found)) for index, trial in enumerate(found)]


def _check_recorded(folder: str) -> str:
    """Check an earlier search that the record of a resumed search names."""
    try:
        return check_recorded_location(folder)
    except ValueError as error:
        raise UserError(f"{folder!r} {error}") from error


def _trials(folder: str) -> list[FrozenTrial]:
    path = open_results(folder).folder
    if not (path / SEARCH_RECORD).is_file():
        raise UserError(f"--warm-start {folder!r}: holds no search (no search.json)")
    trials = read_study(load_spec(path), path).get_trials(deepcopy=False)
    return [trial for trial in trials if not is_refused(trial)]


def _renumbered(trial: FrozenTrial, number: int) -> FrozenTrial:
    shown = copy.copy(trial)
    shown.number = number
    shown.system_attrs = {}  # where Optuna's CMA-ES would look for a pickle of its own, and find another's
    return shown
