"""The attributes of a trial in the study: how they are written and read."""

import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import optuna
from optuna.trial import FrozenTrial, TrialState
from pydantic import BaseModel, ValidationError

from searchspace.stopping.rule import RuleEvent
from searchspace.stopping.rung import RungStanding, observe
from searchspace.storage.search_folder import JOURNAL
from trainables.common.errors import DamagedError
from trainables.config import EpochReport, Frozen, TrialConfig
from trainables.export.benchmark.architecture_cost import ArchitectureCost
from trainables.models.model_registry import learning_kind
from trainables.storage.files import format_validation_error

REPORT, RESUMED = "report-", "went-on-"
"""Prefixes of attributes of a trial, one an epoch: its report, and that it may train on from there."""


AttributeModel = TypeVar("AttributeModel", bound=BaseModel)
TIME_BUDGET = "time budget"
"""Reason of a trial that the time budget ended."""
ENDED_EARLY = "the search ended early"
"""Reason of a trial that was in training when its search lost patience."""


def record_config(trial: optuna.Trial, config: TrialConfig, seed: int) -> None:
    """Record the whole configuration, including defaults and pins, and the seed."""
    trial.set_user_attr("config", config.model_dump_json())
    trial.set_user_attr("seed", seed)


class RecordedReport(Frozen):
    """One report as the study records it."""

    order: int
    """Its position in the sequence of events of the search's early stopping."""
    report: EpochReport
    """The report."""
    at: float | None = None
    """When the search received it, in seconds since 1970."""


def record_report(trial: optuna.Trial, order: int, report: EpochReport) -> None:
    """Record one epoch of a trial, or its failure, with the current time."""
    if report.status != "failed":
        trial.report(report.score, report.epoch)
    entry = RecordedReport(order=order, report=report, at=round(time.time(), 3))
    trial.set_user_attr(_key(report), entry.model_dump_json())


def curve_attributes(curve: Sequence[EpochReport]) -> dict[str, str]:
    """A whole curve in the format of `record_report`, of a trial that early stopping did not see."""
    return {_key(report): RecordedReport(order=-1, report=report).model_dump_json() for report in curve}


def report_key(epoch: int) -> str:
    """Attribute of a trial that has its report of an epoch."""
    return f"{REPORT}{epoch:05d}"


def _key(report: EpochReport) -> str:
    return REPORT + "failed" if report.status == "failed" else report_key(report.epoch)


def record_pace(trial: optuna.Trial, last: EpochReport) -> None:
    """Record the seconds an epoch, which samplers read."""
    if last.epoch:
        trial.set_user_attr("seconds_per_epoch", last.total_seconds / last.epoch)


def record_reason(trial: optuna.Trial, reason: str) -> None:
    """Record why a trial ended before its full length."""
    trial.set_user_attr("reason", reason)


def record_promoted(trial: optuna.Trial, order: int, epoch: int) -> None:
    """Record that the stopping rule lets a trial train on from the rung where it is paused, at once or later."""
    trial.set_user_attr(f"{RESUMED}{epoch:05d}", order)


def record_paused(trial: optuna.Trial, epoch: int) -> None:
    """Record the rung, in epochs, at which a trial is paused; 0 when it is resumed."""
    trial.set_user_attr("waits_at", epoch)


def record_stop(trial: optuna.Trial, standing: RungStanding | None, audited: bool = False) -> None:
    """Record the rung standing of a trial that was stopped, and whether it is audited."""
    if standing is not None:
        trial.set_user_attr("standing", standing.model_dump_json())
    if audited:
        trial.set_user_attr("audited", True)
        record_paused(trial, 0)


def is_cut_off(trial: FrozenTrial) -> bool:
    """Whether the time budget ended a trial in its first epoch, so that nothing is known of it."""
    return trial.state == TrialState.PRUNED and is_over_time_budget(trial) and read_last_report(trial) is None


def is_over_time_budget(trial: FrozenTrial) -> bool:
    """Whether the time budget ended a trial."""
    return trial.user_attrs.get("reason") == TIME_BUDGET


def is_paused(trial: FrozenTrial) -> bool:
    """Whether an unfinished trial is paused at a rung."""
    return trial.state == TrialState.RUNNING and bool(trial.user_attrs.get("waits_at", 0))


def read_standing(trial: FrozenTrial) -> RungStanding | None:
    """The rung standing of a trial that was stopped; None for other trials."""
    return _parsed(trial, "standing", RungStanding) if trial.user_attrs.get("standing") else None


def read_config(trial: FrozenTrial) -> TrialConfig:
    """Configuration of a recorded trial."""
    return _parsed(trial, "config", TrialConfig)


def read_seed(trial: FrozenTrial) -> int:
    """Seed that a recorded trial was trained with."""
    if "seed" not in trial.user_attrs:
        raise DamagedError(Path(JOURNAL), f"trial {trial.number} has no seed")
    return int(trial.user_attrs["seed"])


def read_recorded_reports(trial: FrozenTrial) -> list[RecordedReport]:
    """All reports of a recorded trial, in the order of their epochs, a failure last."""
    keys = sorted(key for key in trial.user_attrs if key.startswith(REPORT))
    return [_parsed(trial, key, RecordedReport) for key in keys]


def read_curve(trial: FrozenTrial) -> list[EpochReport]:
    """Reports of a recorded trial so far."""
    return [entry.report for entry in read_recorded_reports(trial)]


def read_last_report(trial: FrozenTrial) -> EpochReport | None:
    """The last of `read_curve`, without reading the others; None before the first."""
    newest = max((key for key in trial.user_attrs if key.startswith(REPORT)), default=None)
    return _parsed(trial, newest, RecordedReport).report if newest else None


def is_revived(trial: FrozenTrial) -> bool:
    """Whether a trial was revived after its search, so that the search did not see it."""
    return "revives" in trial.user_attrs


def read_events(trials: Iterable[FrozenTrial]) -> list[RuleEvent]:
    """The events of these trials that early stopping received."""
    asked = [trial for trial in trials if "config" in trial.user_attrs and not is_revived(trial)]
    return [event for trial in asked for event in _events(trial)]


def _events(trial: FrozenTrial) -> Iterator[RuleEvent]:
    number, kind, stood = trial.number, learning_kind(read_config(trial)), read_standing(trial)
    audited_from = stood.rung if stood and trial.user_attrs.get("audited") else None
    for order, report in ((entry.order, entry.report) for entry in read_recorded_reports(trial)):
        if report.status == "failed":
            yield RuleEvent(order=order, trial=number, kind=kind, failed=True)
        elif report.status == "running" and (audited_from is None or report.epoch <= audited_from):
            yield RuleEvent(order=order, trial=number, kind=kind, observation=observe(number, kind, report))
    for key, order in trial.user_attrs.items():
        if key.startswith(RESUMED):
            yield RuleEvent(order=order, trial=number, kind=kind)


def record_cost(trial: optuna.Trial, cost: ArchitectureCost) -> None:
    """Record the measured cost of the trial's architecture."""
    trial.set_user_attr("cost", cost.model_dump_json())


def read_trial_cost(trial: FrozenTrial) -> ArchitectureCost | None:
    """The measured cost of a recorded trial's architecture; None where it was not measured."""
    return _parsed(trial, "cost", ArchitectureCost) if trial.user_attrs.get("cost") else None


def read_epoch_seconds(trial: FrozenTrial) -> float | None:
    """Training seconds an epoch, including set-up; None before the first epoch."""
    return trial.user_attrs.get("seconds_per_epoch")


def read_latency(trial: FrozenTrial) -> float | None:
    """Measured latency of its architecture in milliseconds an image; None where it was not measured."""
    cost = read_trial_cost(trial)
    return cost.latency_ms if cost else None


def _parsed(trial: FrozenTrial, key: str, schema: type[AttributeModel]) -> AttributeModel:
    """A JSON attribute of a trial; raises `DamagedError` where it is missing or does not match `schema`."""
    if key not in trial.user_attrs:
        raise DamagedError(Path(JOURNAL), f"trial {trial.number} has no {key}")
    try:
        return schema.model_validate_json(trial.user_attrs[key])
    except ValidationError as error:
        raise DamagedError(
            Path(JOURNAL), f"trial {trial.number}: {key[:40]}: {format_validation_error(error)}"
        ) from error
