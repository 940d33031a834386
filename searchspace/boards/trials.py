"""One row a trial of a search: fidelities never mix."""

from collections.abc import Sequence
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from searchspace.boards.table import Row, short
from searchspace.recorded import cost_of, curve_of, is_refused, is_waiting
from trainables.config import TrialConfig
from trainables.deploy.cost import ArchitectureCost

STATUS = {
    TrialState.COMPLETE: "complete", TrialState.PRUNED: "stopped", TrialState.FAIL: "failed",
    TrialState.RUNNING: "running", TrialState.WAITING: "waiting",
}  # fmt: skip
ORDER = {TrialState.COMPLETE: 0, TrialState.RUNNING: 1, TrialState.PRUNED: 1, TrialState.WAITING: 2, TrialState.FAIL: 3}


def rank_trials(study: optuna.Study) -> list[Row]:
    """One row a trial: full-length ones first, then by how far they came, then by score; fidelities never mix."""
    trials = [trial for trial in study.get_trials(deepcopy=False) if not is_refused(trial)]
    varying = _varying_names(trials)
    ranked = sorted(trials, key=lambda t: (ORDER[t.state], -_epoch(t), -_score(t), t.number))
    return [{"rank": rank, **_trial_row(trial, varying)} for rank, trial in enumerate(ranked, start=1)]


def _trial_row(trial: FrozenTrial, varying: Sequence[str]) -> dict[str, Any]:
    curve, cost = curve_of(trial), cost_of(trial)
    return {
        "trial": trial.number,
        "status": "at rung" if is_waiting(trial) else STATUS[trial.state],
        "score": round(_score(trial), 4) if trial.intermediate_values else None,
        "accuracy": round(curve[-1].accuracy, 4) if curve else None,
        "epoch": _epoch(trial),
        **{name: short(trial.params.get(name)) for name in varying},
        "seconds": round(curve[-1].total_seconds, 1) if curve else None,
        "parameters": cost.parameters if cost else curve[-1].parameters if curve else None,
        **shipped(cost),
        "reason": trial.user_attrs.get("reason", ""),
    }


def describe_trial(study: optuna.Study, number: int) -> str:
    """What was chosen for a trial, in words."""
    params = study.get_trials(deepcopy=False)[number].params
    return ", ".join(f"{name} {short(params[name])}" for name in TrialConfig.model_fields if name in params)


def shipped(cost: ArchitectureCost | None) -> dict[str, Any]:
    """What was measured of a network as it would be shipped."""
    names = ("latency_ms", "size_mb", "memory_mb")
    return {name: short(getattr(cost, name)) if cost else None for name in names}


def _varying_names(trials: Sequence[FrozenTrial]) -> list[str]:
    """Hyperparameters that differ between trials, in `TrialConfig`'s order, the model first of all."""
    seen = {name for trial in trials for name in trial.params}
    values = {name: {repr(t.params[name]) for t in trials if name in t.params} for name in seen}
    return [n for n in TrialConfig.model_fields if n == "model" or len(values.get(n, ())) > 1]


def _epoch(trial: FrozenTrial) -> int:
    return max(trial.intermediate_values, default=0)


def _score(trial: FrozenTrial) -> float:
    return trial.intermediate_values.get(_epoch(trial), 0.0)
