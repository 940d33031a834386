"""What a sampler sees of the study: few enough trials that a suggestion's time stays bounded, none misrepresented."""

import copy
from collections.abc import Callable
from typing import Any, cast

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from searchspace.engine.assignments import derive_seed
from searchspace.optuna_compat import StudyView
from searchspace.study.refusals import RefusalReason, is_refused, reason_of
from searchspace.study.trial_attributes import is_paused

BEST, NEWEST = 64, 128
"""Finished trials that a sampler sees: the best, among which are all that TPE models as good, and the newest others."""
RUNNING = 256
"""Trials in training that a sampler sees, the newest: with thousands, each suggestion would take half a second."""
ENOUGH = 10
"""Trials at one fidelity that are enough to model it."""
View = Callable[[list[FrozenTrial], int], list[FrozenTrial]]
"""From the study's trials and the number of the trial to be drawn, to what is shown."""


class WindowedSampler(BaseSampler):
    """Any sampler of Optuna's, on a view of the study, seeded anew for each trial.

    So what is drawn for a trial depends on its number and on what is known, not on what this process drew before: a
    search that is resumed asks what it would have asked.
    """

    def __init__(self, make: Callable[[int], BaseSampler], seed: int, view: View) -> None:
        """Show what `view` makes of the study to what `make` makes of a seed."""
        self._make, self._seed, self._view = make, seed, view
        self._inner = make(seed)
        self._newest: tuple[int, optuna.Study] | None = None

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The inner sampler's, on the window."""
        window = self._window(study, trial)
        return self._inner.infer_relative_search_space(window, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The inner sampler's, on the window."""
        window = self._window(study, trial)
        return self._inner.sample_relative(window, trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """The inner sampler's, on the window."""
        window = self._window(study, trial)
        return self._inner.sample_independent(window, trial, param_name, param_distribution)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """The inner sampler's."""
        self._inner.before_trial(study, trial)

    def after_trial(self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Any) -> None:
        """The inner sampler's."""
        self._inner.after_trial(study, trial, state, values)

    def reseed_rng(self) -> None:
        """Nothing: every seed is given."""

    def _window(self, study: optuna.Study, trial: FrozenTrial) -> optuna.Study:
        """One window, and one inner sampler, for all that is sampled for one trial."""
        if self._newest is None or self._newest[0] != trial.number:
            self._inner = self._make(derive_seed(self._seed, "sampler", trial.number))
            shown = self._view(study.get_trials(deepcopy=False), trial.number)
            self._newest = (trial.number, cast(optuna.Study, StudyView(study, shown)))
        return self._newest[1]


def settle(trials: list[FrozenTrial]) -> list[FrozenTrial]:
    """Trials as a sampler may take them: who waits at a rung has been held back so far, and what was refused runs.

    TPE and the Gaussian process keep away from what runs; of what is pruned TPE takes the best for good, even where all
    was refused. A duplicate says nothing of its own. No more of the refused are shown than of the finished.
    """
    refused = [t for t in trials if reason_of(t) not in {None, RefusalReason.DUPLICATE}]
    avoided = {t.number for t in refused[-NEWEST:]}
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
    shown = copy.copy(trial)  # the study's own is not ours to change
    shown.state = state
    return shown


def choose_window(trials: list[FrozenTrial]) -> list[FrozenTrial]:
    """The newest `RUNNING` that run, the `BEST` finished ones, the `NEWEST` of the others, in the order they began."""
    newest = {id(t) for t in [t for t in trials if t.state == TrialState.RUNNING][-RUNNING:]}
    trials = [t for t in trials if t.state != TrialState.RUNNING or id(t) in newest]
    able = [t for t in trials if t.state in {TrialState.COMPLETE, TrialState.PRUNED}]
    if len(able) <= BEST + NEWEST:
        return trials
    best = sorted(able, key=_sort_key, reverse=True)[:BEST]
    chosen = {t.number for t in best}
    chosen |= set([t.number for t in able if t.number not in chosen][-NEWEST:])
    return [t for t in trials if t.number in chosen or t.state == TrialState.RUNNING]


def _sort_key(trial: FrozenTrial) -> tuple[bool, int, float]:
    """TPE's own order: full-length trials by value, then stopped ones by how far they came and their score there."""
    if trial.state == TrialState.COMPLETE:
        return True, 0, trial.value or 0.0
    step = trial.last_step
    return False, -1 if step is None else step, 0.0 if step is None else trial.intermediate_values[step]


def at_one_fidelity(trials: list[FrozenTrial], epochs: tuple[int, ...]) -> list[FrozenTrial]:
    """For samplers that model full-length values only: everybody's score at the latest epoch that enough have reached.

    BOHB's way (arXiv:1807.01774, section 4.2): fidelities never mix, and nobody waits for full-length trials.
    `epochs` are the rungs and the full length, ascending.
    """
    for epoch in reversed(epochs):
        there = [t for t in trials if epoch in t.intermediate_values]
        if len(there) >= ENOUGH or epoch == epochs[0]:
            running = [t for t in trials if t.state == TrialState.RUNNING and t not in there]
            return [_completed(trial, epoch) for trial in there] + running
    return trials


def is_known(trial: FrozenTrial, grace_epochs: int) -> bool:
    """Whether all that `as_asked` shows of a trial is there: its first rung's score, or that it never comes there."""
    return trial.state.is_finished() or grace_epochs in trial.intermediate_values


def as_asked(trials: list[FrozenTrial], before: int, grace_epochs: int) -> list[FrozenTrial]:
    """What does not depend on who was how fast: the first rung's scores of the trials numbered below `before`."""
    shown = []
    for trial in trials:
        if trial.number < before and grace_epochs in trial.intermediate_values:
            held = copy.copy(trial)
            held.state, held.value = TrialState.PRUNED, None
            held.intermediate_values = {grace_epochs: trial.intermediate_values[grace_epochs]}
            shown.append(held)
    return shown


def _completed(trial: FrozenTrial, epoch: int) -> FrozenTrial:
    shown = copy.copy(trial)
    shown.state, shown.value = TrialState.COMPLETE, trial.intermediate_values[epoch]
    shown.intermediate_values = {epoch: trial.intermediate_values[epoch]}
    return shown
