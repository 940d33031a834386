"""The values that samplers see of trials: scores with their tie-breaker, and those of one fidelity."""

import copy
from collections.abc import Sequence
from functools import lru_cache
from statistics import median

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
    """For samplers that model full-length values only: scores at the latest epoch that enough trials have reached.

    BOHB's way (arXiv:1807.01774, section 4.2): the model need not wait for full-length trials. `epochs` are the rungs
    and the full length, ascending. Trials that ended or wait at an earlier rung stay, so that the model knows where
    not to look: each by its own score and the median gain of the others since, but below all that went on. Trials
    that report once, at the full length, count for no epoch, and are shown at each.
    """
    for epoch in reversed(epochs):
        there = [t for t in trials if epoch in t.intermediate_values and not _reports_once(t, epochs)]
        if len(there) >= MIN_TRIALS_AT_FIDELITY or epoch == epochs[0]:
            break
    values = {id(t): t.intermediate_values[epoch] for t in there}
    values |= {id(t): t.intermediate_values[epochs[-1]] for t in trials if _reports_once(t, epochs)}
    for rung in epochs[: epochs.index(epoch)]:
        values |= _estimate_from(rung, epoch, [t for t in trials if t.state == TrialState.PRUNED], there)
    shown = [_completed(t, epoch, values[id(t)]) for t in trials if id(t) in values]
    return shown + [t for t in trials if t.state == TrialState.RUNNING and id(t) not in values]


def _reports_once(trial: FrozenTrial, epochs: tuple[int, ...]) -> bool:
    """Whether a trial has no curve, as a head that is solved for."""
    return len(epochs) > 1 and trial.intermediate_values.keys() == {epochs[-1]}


def _estimate_from(
    rung: int, epoch: int, stopped: Sequence[FrozenTrial], there: Sequence[FrozenTrial]
) -> dict[int, float]:
    """Values at `epoch` of trials whose last rung was `rung`, by their identity in memory."""
    last = [t for t in stopped if rung in t.intermediate_values and rung <= (t.last_step or 0) < epoch]
    pairs = [
        (t.intermediate_values[rung], t.intermediate_values[epoch]) for t in there if rung in t.intermediate_values
    ]
    if not pairs:
        return {}
    gain, worst = median(late - early for early, late in pairs), min(late for _, late in pairs)
    return {id(t): min(worst, t.intermediate_values[rung] + gain) for t in last}


def _completed(trial: FrozenTrial, epoch: int, value: float) -> FrozenTrial:
    shown = copy.copy(trial)
    shown.state, shown.value, shown.intermediate_values = TrialState.COMPLETE, value, {epoch: value}
    return shown
