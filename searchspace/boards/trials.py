"""One row a trial of a search: fidelities never mix."""

from collections.abc import Sequence
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from searchspace.boards.table import Row, rounded, short
from searchspace.recorded import cost_of, is_refused, is_waiting, last_report
from searchspace.study import Recorded
from trainables.config import TrialConfig
from trainables.deploy.cost import ArchitectureCost

STATUS = {
    TrialState.COMPLETE: "complete", TrialState.PRUNED: "stopped", TrialState.FAIL: "failed",
    TrialState.RUNNING: "running", TrialState.WAITING: "waiting",
}  # fmt: skip
ORDER = {TrialState.COMPLETE: 0, TrialState.RUNNING: 1, TrialState.PRUNED: 1, TrialState.WAITING: 2, TrialState.FAIL: 3}


def rank_trials(study: Recorded) -> list[Row]:
    """One row a trial: full-length ones first, then by how far they came, then by score; fidelities never mix."""
    trials = [trial for trial in study.get_trials(deepcopy=False) if not is_refused(trial)]
    varying = _varying_names(trials)
    ranked = sorted(trials, key=lambda t: (ORDER[t.state], -_epoch(t), -_score(t), t.number))
    return [{"rank": rank, **_trial_row(trial, varying)} for rank, trial in enumerate(ranked, start=1)]


def status_of(trial: FrozenTrial) -> str:
    """What became of a trial so far, in one word or two."""
    return "at rung" if is_waiting(trial) else STATUS[trial.state]


def _trial_row(trial: FrozenTrial, varying: Sequence[str]) -> dict[str, Any]:
    last, cost, values, params = last_report(trial), cost_of(trial), trial.intermediate_values, trial.params
    return {
        "trial": trial.number,
        "status": status_of(trial),
        "score": rounded(_score(trial)) if values else None,
        "accuracy": rounded(last.accuracy) if last else None,
        "epoch": _epoch(trial),
        "best_score": rounded(max(values.values())) if values else None,
        "best_epoch": max(values, key=values.__getitem__) if values else None,
        **{name: short(params.get(name)) for name in varying},
        "seconds": round(last.total_seconds, 1) if last else None,
        "parameters": cost.parameters if cost else last.parameters if last else None,
        **shipped(cost),
        "reason": trial.user_attrs.get("reason", ""),
    }


def describe_trial(study: Recorded, number: int) -> str:
    """What was chosen for a trial, in words."""
    params = study.get_trials(deepcopy=False)[number].params
    return ", ".join(f"{name} {short(params[name])}" for name in TrialConfig.model_fields if name in params)


def shipped(cost: ArchitectureCost | None) -> dict[str, Any]:
    """What was measured of a network as it would be shipped."""
    names = ("latency_ms", "size_mb", "memory_mb")
    return {name: short(getattr(cost, name)) if cost else None for name in names}


def _varying_names(trials: Sequence[FrozenTrial]) -> list[str]:
    """Hyperparameters that differ between trials, in `TrialConfig`'s order, the model first of all."""
    seen: dict[str, set[Any]] = {}
    for trial in trials:
        for name, value in trial.params.items():
            seen.setdefault(name, set()).add(value)
    return [n for n in TrialConfig.model_fields if n == "model" or len(seen.get(n, ())) > 1]


def _epoch(trial: FrozenTrial) -> int:
    return max(trial.intermediate_values, default=0)


def _score(trial: FrozenTrial) -> float:
    return trial.intermediate_values.get(_epoch(trial), 0.0)
