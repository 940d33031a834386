"""The values that samplers see of trials: scores with their tie-breaker, and those of one fidelity."""

import copy
from functools import lru_cache

from optuna.trial import FrozenTrial, TrialState

from searchspace.study.trial_attributes import RecordedReport, report_key

MIN_TRIALS_AT_FIDELITY = 10
"""Trials at one fidelity from which on it is modelled."""
CACHED_REPORTS = 16_384
"""Reports that are parsed once for all suggestions."""


def show_objective_values(trials: list[FrozenTrial]) -> list[FrozenTrial]:
    """Trials whose scores are objective values: among equal scores the lower loss is better, as for early stopping.

    The study itself has the scores, which boards and other tools read.
    """
    return [_with_objective_values(trial) for trial in trials]


def _with_objective_values(trial: FrozenTrial) -> FrozenTrial:
    if not trial.intermediate_values:
        return trial
    shown = copy.copy(trial)
    shown.intermediate_values = {
        epoch: _objective_value(text) if (text := trial.user_attrs.get(report_key(epoch))) else score
        for epoch, score in trial.intermediate_values.items()
    }
    last = max(trial.intermediate_values)
    if trial.value == trial.intermediate_values[last]:
        shown.value = shown.intermediate_values[last]
    return shown


@lru_cache(maxsize=CACHED_REPORTS)
def _objective_value(report: str) -> float:
    return RecordedReport.model_validate_json(report).report.objective_value


def show_one_fidelity(trials: list[FrozenTrial], epochs: tuple[int, ...]) -> list[FrozenTrial]:
    """For samplers that model full-length values only: all scores at the latest epoch that enough trials have reached.

    BOHB's way (arXiv:1807.01774, section 4.2): fidelities never mix, and the model need not wait for full-length
    trials. `epochs` are the rungs and the full length, ascending.
    """
    for epoch in reversed(epochs):
        there = [t for t in trials if epoch in t.intermediate_values]
        if len(there) >= MIN_TRIALS_AT_FIDELITY or epoch == epochs[0]:
            running = [t for t in trials if t.state == TrialState.RUNNING and t not in there]
            return [_completed(trial, epoch) for trial in there] + running
    return trials


def _completed(trial: FrozenTrial, epoch: int) -> FrozenTrial:
    shown = copy.copy(trial)
    shown.state, shown.value = TrialState.COMPLETE, trial.intermediate_values[epoch]
    shown.intermediate_values = {epoch: trial.intermediate_values[epoch]}
    return shown
