"""The ensemble that the search's own predictions propose as one more finalist, and the limits that it has to keep."""

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from searchspace.constraints.constraints import find_violations, kinds_to_measure
from searchspace.engine.assignments import derive_seed
from searchspace.finals.ensembles.greedy_selection import Library, NestedScore, score_nested, select_greedily
from searchspace.finals.formatting import format_difference, format_member, format_score
from searchspace.spec import SearchSpec
from searchspace.storage.search_folder import TRIALS, trial_folder, trial_name
from searchspace.study.trial_attributes import read_config, read_curve, read_trial_cost
from trainables.common.errors import DamagedError
from trainables.config import TrialConfig
from trainables.export.benchmark.architecture_cost import ArchitectureCost
from trainables.models.model_registry import is_closed_form

if TYPE_CHECKING:
    from trainables.metrics.class_counts import Weights

logger = logging.getLogger(__name__)

MAX_TRUNKS = 3
"""Networks that an image passes through, at most: an ensemble is as slow as all of them."""
MAX_MEMBERS = 5
"""Classifiers of an ensemble, at most; several may share a network."""
MAX_LIBRARY = 24
"""Trials of which members are selected, at most: the best."""
SUMMED_COSTS = ("parameters", "size_mb", "latency_ms", "memory_mb")
"""Fields of `ArchitectureCost` that add up over the networks of an ensemble."""


@dataclass(frozen=True)
class EnsembleProposal:
    """An ensemble of trials, selected by their predictions in the search."""

    members: tuple[int, ...]
    """Their numbers."""
    counts: tuple[int, ...]
    """How often each counts in the mean of probabilities."""
    nested: NestedScore
    """What it gains by cross-validation over the search's validation images."""

    def describe(self, spec: SearchSpec) -> str:
        """Its members, and what it gains."""
        each = ", ".join(format_member(*pair) for pair in zip(self.members, self.counts, strict=True))
        return f"ensemble of trials {each}: {describe_gain(spec, self.nested)}"


def describe_gain(spec: SearchSpec, nested: NestedScore) -> str:
    """Scores on images that selected nothing, and the noise of their difference."""
    ensemble, single = (format_score(spec.metric, score) for score in (nested.ensemble, nested.single))
    noise = format_difference(spec.metric, nested.noise)
    return f"{ensemble} by nested validation, the best alone {single} (the difference ± {noise})"


def propose_ensemble(
    spec: SearchSpec, trials: Sequence[FrozenTrial], chosen: Sequence[FrozenTrial]
) -> EnsembleProposal | None:
    """The ensemble of closed-form heads and `chosen` finalists that is worth a place in the finals; None without one.

    It is offered where no limit and no objective asks for a small model, and its gain is more than noise; with
    `--ensemble` also where it is not, as far as it keeps the limits. A closed-form head costs the finals no more than
    seconds; other trials would have to be trained again.
    """
    if not spec.ensemble and (spec.limits or "latency" in spec.objectives):
        return None
    usable, library = read_library(spec, list_candidates(trials, chosen))
    if len(usable) < 2 or library is None:
        return None

    def admits(members: Collection[int]) -> bool:
        return keeps_limits(spec, [usable[place] for place in members])

    nested = score_nested(spec.metric, library, derive_seed(spec.seed, "ensemble"), admits)
    counts = select_greedily(spec.metric, library, admits)
    members = [place for place, count in enumerate(counts) if count]
    if len(members) < 2 or not (nested.is_clear or spec.ensemble):
        if not spec.ensemble:
            logger.info(f"no ensemble: it would gain no more than noise, {describe_gain(spec, nested)}")
        return None
    return EnsembleProposal(
        tuple(usable[place].number for place in members), tuple(counts[place] for place in members), nested
    )


def list_candidates(trials: Sequence[FrozenTrial], chosen: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Trials at full length that finals have, or get at next to no cost: the best first."""
    known = {trial.number for trial in chosen}
    able = [
        trial for trial in trials
        if trial.state == TrialState.COMPLETE and read_curve(trial)
        and (trial.number in known or is_closed_form(read_config(trial)))
    ]  # fmt: skip
    return sorted(able, key=lambda trial: -read_curve(trial)[-1].objective_value)[:MAX_LIBRARY]


def read_library(spec: SearchSpec, candidates: Iterable[FrozenTrial]) -> tuple[list[FrozenTrial], Library | None]:
    """What those of the trials predicted that kept their predictions, and are of the same images."""
    from trainables.metrics.predictions import VALIDATION_PREDICTIONS, read_predictions, read_weights

    _fetch_predictions(spec)
    usable, found = list[FrozenTrial](), []
    labels, weights = np.zeros(0, np.int64), None
    for trial in candidates:
        folder = trial_folder(spec.folder, trial_name(trial.number))
        try:
            probabilities, own = read_predictions(folder, VALIDATION_PREDICTIONS)
            own_weights: Weights = read_weights(folder, VALIDATION_PREDICTIONS)
        except (FileNotFoundError, DamagedError):
            continue
        if usable and not np.array_equal(labels, own):
            continue
        if not usable:
            labels, weights = own, own_weights
        usable.append(trial)
        found.append(probabilities.astype(np.float32))
    return usable, Library(np.stack(found), labels, weights) if found else None


def _fetch_predictions(spec: SearchSpec) -> None:
    """Fetch what trials on other machines left at the search's URL, if it has one."""
    from trainables.metrics.predictions import VALIDATION_PREDICTIONS
    from trainables.storage.folder_sync import FolderSync

    if spec.home.url:
        FolderSync(spec.home).pull(lambda name: Path(name).name == VALIDATION_PREDICTIONS, TRIALS)


def keeps_limits(spec: SearchSpec, members: Sequence[FrozenTrial]) -> bool:
    """Whether an ensemble of these trials has few networks, and keeps the search's limits."""
    trunks = {trunk_of(read_config(trial), trial.number): trial for trial in members}
    if len(members) > MAX_MEMBERS or len(trunks) > MAX_TRUNKS:
        return False
    if not kinds_to_measure(spec):
        return True
    costs = [read_trial_cost(trial) for trial in trunks.values()]
    known = [cost for cost in costs if cost is not None]
    return len(known) == len(costs) and not find_violations(spec, sum_costs(known))


def trunk_of(config: TrialConfig, number: int) -> tuple[object, ...]:
    """What tells the networks of trials that give features from each other: frozen backbones are the same."""
    if config.freeze != "all":
        return (number,)
    return config.model, config.input_size, config.fit, config.tta


def sum_costs(costs: Sequence[ArchitectureCost]) -> ArchitectureCost:
    """The cost of all of them in one file, as far as each is known."""
    sums = {}
    for name in SUMMED_COSTS:
        values = [getattr(cost, name) for cost in costs]
        sums[name] = None if any(value is None for value in values) else sum(values)
    return ArchitectureCost(**sums)
