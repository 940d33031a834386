"""The view of the study that a sampler gets: a bounded number of trials, so that a suggestion's time is bounded."""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from searchspace.engine.assignments import derive_seed
from searchspace.families.family import FAMILY_FIELDS
from searchspace.optuna_compat import StudyView
from searchspace.study.refusals import RefusalReason, is_refused, reason_of
from searchspace.study.trial_attributes import is_paused

MAX_BEST, MAX_NEWEST = 64, 128
"""Finished trials that a sampler sees: the best, which include all that TPE models as good, and the newest others."""
MAX_RUNNING = 256
"""Trials in training that a sampler sees, the newest: with thousands, each suggestion would take half a second."""
MIN_TRIALS_OF_FAMILY = 10
"""Trials of a family from which on it is modelled by itself."""
ENQUEUED_VALUES = "fixed_params"
"""Optuna's attribute of a trial that was enqueued with values of its own."""
TrialSelector = Callable[[list[FrozenTrial], int], list[FrozenTrial]]
"""(The study's trials, number of the trial to draw) -> the trials that the sampler sees."""
SamplerMaker = Callable[[int, Sequence[FrozenTrial]], BaseSampler]
"""(Seed, the trials that it will see) -> one of Optuna's samplers."""


class WindowedSampler(BaseSampler):
    """Any sampler of Optuna's, on a view of the study, seeded anew for each trial.

    What is drawn for a trial depends on its number and on the study, not on earlier draws of this process: a resumed
    search suggests what it would have suggested.
    """

    def __init__(self, make: SamplerMaker, seed: int, view: TrialSelector) -> None:
        """Let the sampler that `make` makes of a seed, and of those trials, see the trials that `view` selects."""
        self._make, self._seed, self._view = make, seed, view
        self._inner = make(seed, [])
        self._newest: tuple[int, optuna.Study, FrozenTrial] | None = None
        self._fixed: Mapping[str, Any] = {}

    def fix(self, values: Mapping[str, Any]) -> None:
        """Give these values to parameters of the trials that are drawn from now on, but for enqueued ones.

        The ranges that the study records stay as they are, as with `optuna.samplers.PartialFixedSampler`. The inner
        sampler sees the trials that have these values, so that it models what is drawn under them.
        """
        self._fixed = values

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The inner sampler's, on the window."""
        window, shown = self._window(study, trial)
        found = self._inner.infer_relative_search_space(window, shown)
        return {name: each for name, each in found.items() if name not in self._fixed_for(trial)}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The inner sampler's, on the window."""
        window, shown = self._window(study, trial)
        drawn = self._inner.sample_relative(window, shown, search_space)
        return {name: value for name, value in drawn.items() if name in search_space}

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """The inner sampler's, on the window."""
        fixed, choices = self._fixed_for(trial), getattr(param_distribution, "choices", ())
        if param_name in fixed and fixed[param_name] in choices:
            return fixed[param_name]
        window, shown = self._window(study, trial)
        return self._inner.sample_independent(window, shown, param_name, param_distribution)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """The inner sampler's."""
        self._inner.before_trial(study, trial)

    def after_trial(self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Any) -> None:
        """The inner sampler's."""
        self._inner.after_trial(study, trial, state, values)

    def reseed_rng(self) -> None:
        """Nothing: every seed is given."""

    def _window(self, study: optuna.Study, trial: FrozenTrial) -> tuple[optuna.Study, FrozenTrial]:
        """One window, and one inner sampler, for all that is sampled for one trial; and the trial as it is there."""
        if self._newest is None or self._newest[0] != trial.number:
            fixed = self._fixed_for(trial)
            known = select_family(study.get_trials(deepcopy=False), fixed)
            shown = select_family(self._view(known, trial.number), fixed)  # those of earlier searches, too
            self._inner = self._make(derive_seed(self._seed, "sampler", trial.number), shown)
            first = min((t.number for t in shown), default=0)
            window = StudyView(study, [_numbered_from(first, t) for t in shown])
            self._newest = (trial.number, cast(optuna.Study, window), _numbered_from(first, trial))
        return self._newest[1:]

    def _fixed_for(self, trial: FrozenTrial) -> Mapping[str, Any]:
        return {} if ENQUEUED_VALUES in trial.system_attrs else self._fixed


def _numbered_from(first: int, trial: FrozenTrial) -> FrozenTrial:
    """The trial with a number from 0: Optuna leaves those with others out of the space that all trials share."""
    if first >= 0:
        return trial
    shown = copy.copy(trial)
    shown.number = trial.number - first
    return shown


def select_family(trials: list[FrozenTrial], fixed: Mapping[str, Any]) -> list[FrozenTrial]:
    """The trials that have the `fixed` values; those of all models while they are fewer than `MIN_TRIALS_OF_FAMILY`.

    Even then a model from scratch is not modelled by trials of backbones, nor a closed form by what is trained.
    """
    if not fixed:
        return trials
    alike = [
        trial for trial in trials if all(trial.params.get(n) == fixed.get(n) for n in FAMILY_FIELDS if n != "model")
    ]
    own = [trial for trial in alike if "model" not in fixed or trial.params.get("model") == fixed["model"]]
    return own if sum(trial.state != TrialState.FAIL for trial in own) >= MIN_TRIALS_OF_FAMILY else alike


def mark_paused_and_refused(trials: list[FrozenTrial]) -> list[FrozenTrial]:
    """Trials in the states that samplers model best: paused ones as PRUNED, refused ones as RUNNING.

    TPE and the Gaussian process avoid the neighbourhood of running trials; of pruned trials TPE models the best as
    good, even if all were refused. Duplicates are left out, and so are refused trials beyond the newest `MAX_NEWEST`.
    """
    refused = [t for t in trials if reason_of(t) not in {None, RefusalReason.DUPLICATE}]
    avoided = {t.number for t in refused[-MAX_NEWEST:]}
    shown = []
    for trial in trials:
        if is_paused(trial):
            shown.append(_in_state(trial, TrialState.PRUNED))
        elif trial.number in avoided:
            shown.append(_in_state(trial, TrialState.RUNNING))
        elif not is_refused(trial):
            shown.append(trial)
    return shown


def _in_state(trial: FrozenTrial, state: TrialState) -> FrozenTrial:
    shown = copy.copy(trial)  # the study keeps its own
    shown.state = state
    return shown


def choose_window(trials: list[FrozenTrial]) -> list[FrozenTrial]:
    """The newest `MAX_RUNNING` running trials, the `MAX_BEST` finished ones, and the `MAX_NEWEST` others, by number."""
    newest = {id(t) for t in [t for t in trials if t.state == TrialState.RUNNING][-MAX_RUNNING:]}
    trials = [t for t in trials if t.state != TrialState.RUNNING or id(t) in newest]
    able = [t for t in trials if t.state in {TrialState.COMPLETE, TrialState.PRUNED}]
    if len(able) <= MAX_BEST + MAX_NEWEST:
        return trials
    best = sorted(able, key=_sort_key, reverse=True)[:MAX_BEST]
    chosen = {t.number for t in best}
    chosen |= set([t.number for t in able if t.number not in chosen][-MAX_NEWEST:])
    return [t for t in trials if t.number in chosen or t.state == TrialState.RUNNING]


def _sort_key(trial: FrozenTrial) -> tuple[bool, int, float]:
    """TPE's own order: full-length trials by value, then stopped ones by their epochs and their score there."""
    if trial.state == TrialState.COMPLETE:
        return True, 0, trial.value or 0.0
    step = trial.last_step
    return False, -1 if step is None else step, 0.0 if step is None else trial.intermediate_values[step]


def is_first_rung_known(trial: FrozenTrial, grace_epochs: int) -> bool:
    """Whether `show_first_rungs` knows all it shows of a trial: its first rung's score, or that it ended before."""
    return trial.state.is_finished() or grace_epochs in trial.intermediate_values


def show_first_rungs(trials: list[FrozenTrial], before: int, grace_epochs: int) -> list[FrozenTrial]:
    """What does not depend on timing: the first rung's scores of the trials numbered below `before`.

    A head that is solved for has one score, which counts as one.
    """
    shown = []
    for trial in trials:
        value = trial.intermediate_values.get(grace_epochs, trial.value if _is_closed_form(trial) else None)
        if trial.number < before and value is not None:
            held = copy.copy(trial)
            held.state, held.value = TrialState.PRUNED, None
            held.intermediate_values = {grace_epochs: value}
            shown.append(held)
    return shown


def _is_closed_form(trial: FrozenTrial) -> bool:
    """Whether a trial was solved for, so that it has one score, at its full length."""
    return trial.state == TrialState.COMPLETE and len(trial.intermediate_values) == 1
