"""The leaderboard: one row for each trial of a search; trials are ranked within their fidelity."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from searchspace.finals.finalist import read_finalists
from searchspace.reporting.tables.exported_files_table import cost_columns
from searchspace.reporting.tables.finalists import trial_roles
from searchspace.reporting.tables.table import Row, round_digits, round_rows
from searchspace.study.refusals import is_refused
from searchspace.study.study import StudyReader
from searchspace.study.trial_attributes import is_paused, read_config, read_last_report, read_trial_cost
from trainables.config import EpochReport, TrialConfig

STATE_LABELS = {
    TrialState.COMPLETE: "complete", TrialState.PRUNED: "stopped", TrialState.FAIL: "failed",
    TrialState.RUNNING: "running", TrialState.WAITING: "waiting",
}  # fmt: skip
STATE_ORDER = {
    TrialState.COMPLETE: 0,
    TrialState.RUNNING: 1,
    TrialState.PRUNED: 1,
    TrialState.WAITING: 2,
    TrialState.FAIL: 3,
}
CONFIG_DEFAULTS = TrialConfig().hyperparameters
"""Values of hyperparameters that a space says nothing of."""
FIRST_COLUMNS = ("rank", "trial", "role")
"""Columns that stand first on a printed board; the others keep their order."""
MACHINE_COLUMNS = ("state", "val_loss", "train_loss", "seed", "datetime_start", "duration")
"""What files have of each trial, and printed boards have only by name."""


def rank_trials(study: StudyReader) -> list[Row]:
    """One row a trial, exact and whole, so that a trial can be trained again from its row.

    Full-length ones first, then by how far they came, then by score; equal scores by the re-score from fresh seeds,
    where they were finalists, then by validation loss. Fidelities never mix.
    """
    rescores = {finalist.name: finalist.score for finalist in read_finalists(study)}
    trials = [(t, read_last_report(t)) for t in study.get_trials(deepcopy=False) if not is_refused(t)]

    def key(found: tuple[FrozenTrial, EpochReport | None]) -> tuple[float, ...]:
        trial, last = found
        rescore, loss = rescores.get(trial.number, float("-inf")), last.val_loss if last else 0.0
        return STATE_ORDER[trial.state], -_epoch(trial), -_score(trial), -rescore, loss, trial.number

    ranked, roles = sorted(trials, key=key), trial_roles(study)
    names = hyperparameter_names([trial for trial, _ in trials])
    return [
        {"rank": rank, **_trial_row(trial, last, roles.get(trial.number, ""), names)}
        for rank, (trial, last) in enumerate(ranked, start=1)
    ]


def without_defaults(study: StudyReader, rows: Sequence[Row]) -> list[Row]:
    """`rows` as conditions and people see them: a hyperparameter that no one set for a trial is empty there.

    It is at its default, and most often one that the trial's network does not have.
    """
    asked = {trial.number: trial.params for trial in study.get_trials(deepcopy=False)}
    return [
        {**row, **{n: None for n, value in CONFIG_DEFAULTS.items() if n not in asked[row["trial"]] and row[n] == value}}
        for row in rows
    ]


def varying_columns(study: StudyReader, rows: Sequence[Row]) -> list[str]:
    """Columns of `rows` that a printed board has room for: hyperparameters that differ between the search's trials."""
    trials = [t for t in study.get_trials(deepcopy=False) if not is_refused(t)]
    left = {*MACHINE_COLUMNS, *(set(hyperparameter_names(trials)) - set(_varying_names(trials)))}
    found = [name for name in (rows[0] if rows else ()) if name not in left]
    return sorted(found, key=lambda name: FIRST_COLUMNS.index(name) if name in FIRST_COLUMNS else len(FIRST_COLUMNS))


def board_rows(study: StudyReader) -> list[Row]:
    """One row a trial as a printed board has it: short figures, and what differs."""
    rows = without_defaults(study, rank_trials(study))
    columns = varying_columns(study, rows)
    return round_rows([{name: row[name] for name in columns} for row in rows])


def format_status(trial: FrozenTrial) -> str:
    """The status of a trial in one or two words."""
    return "at rung" if is_paused(trial) else STATE_LABELS[trial.state]


def hyperparameter_names(trials: Sequence[FrozenTrial]) -> list[str]:
    """Names of all hyperparameters: those of `TrialConfig`, and those of own parts that any of the `trials` has."""
    found = [read_config(trial).custom for trial in trials if "config" in trial.user_attrs]
    return [*CONFIG_DEFAULTS, *dict.fromkeys(name for custom in found for name in custom)]


def _trial_row(trial: FrozenTrial, last: EpochReport | None, role: str, names: Sequence[str]) -> dict[str, Any]:
    cost, values = read_trial_cost(trial), trial.intermediate_values
    return {
        "trial": trial.number,
        "status": format_status(trial),
        "score": _score(trial) if values else None,
        "accuracy": last.accuracy if last else None,
        "epoch": _epoch(trial),
        "best_score": max(values.values()) if values else None,
        "best_epoch": max(values, key=values.__getitem__) if values else None,
        "val_loss": last.val_loss if last else None,
        "train_loss": last.train_loss if last else None,
        **_config_row(trial, names),
        "role": role,
        "state": trial.state.name,
        "seed": trial.user_attrs.get("seed"),
        "datetime_start": _with_zone(trial.datetime_start) if trial.datetime_start else None,
        "duration": _duration(trial),
        "seconds": last.total_seconds if last else None,
        "parameters": cost.parameters if cost else last.parameters if last else None,
        **cost_columns(cost),
        "reason": trial.user_attrs.get("reason", ""),
    }


def _config_row(trial: FrozenTrial, names: Sequence[str]) -> Mapping[str, Any]:
    """The whole configuration; empty for a trial that is only enqueued in the study."""
    config = read_config(trial).hyperparameters if "config" in trial.user_attrs else {}
    return {name: config.get(name) for name in names}


def _with_zone(moment: datetime) -> str:
    """Optuna's naive local time, which says where it is of."""
    return moment.astimezone().isoformat(timespec="milliseconds")


def _duration(trial: FrozenTrial) -> float | None:
    """Seconds from a trial's start to its end, waiting included, as Optuna's table has it."""
    ended = trial.datetime_start and trial.datetime_complete
    return trial.duration.total_seconds() if ended and trial.duration else None


def describe_trial(study: StudyReader, number: int) -> str:
    """What was chosen for a trial, in words."""
    trial = study.get_trials(deepcopy=False)[number]
    params, names = trial.params, hyperparameter_names([trial])
    return ", ".join(f"{name} {round_digits(params[name])}" for name in names if name in params)


def read_hyperparameters(study: StudyReader, number: int) -> dict[str, Any]:
    """A trial's hyperparameters by name: its model, what was drawn for it, and what is not at its default."""
    trial = study.get_trials(deepcopy=False)[number]
    named, found = {"model", *trial.params}, _config_row(trial, hyperparameter_names([trial]))
    return {name: value for name, value in found.items() if name in named or value != CONFIG_DEFAULTS.get(name)}


def _varying_names(trials: Sequence[FrozenTrial]) -> list[str]:
    """Hyperparameters that differ between trials, in `TrialConfig`'s order, the model first of all."""
    seen: dict[str, set[Any]] = {}
    for trial in trials:
        for name, value in trial.params.items():
            seen.setdefault(name, set()).add(value)
    return [n for n in hyperparameter_names(trials) if n == "model" or len(seen.get(n, ())) > 1]


def _epoch(trial: FrozenTrial) -> int:
    return max(trial.intermediate_values, default=0)


def _score(trial: FrozenTrial) -> float:
    return trial.intermediate_values.get(_epoch(trial), 0.0)
