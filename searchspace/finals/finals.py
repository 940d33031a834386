"""The finals: the finalists are trained again from fresh seeds, and scored on images that were not used to choose them.

The best of 64 noisy validation scores is biased upwards: by its seed and by the validation images. Fresh seeds remove
the first part of that bias, images of their own the second. Of a small set those images are few; `--folds` scores the
finalists on all images that the search trained on, each by a training that it was held out of.
"""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import optuna
from optuna.trial import FrozenTrial, TrialState

from searchspace.engine.assignments import final_assignments
from searchspace.finals.baseline import BASELINE, choose_reference, make_baseline
from searchspace.finals.final_trainings import FinalTraining, collect_predictions
from searchspace.finals.finalist import Finalist, NoWinnerError, write_finalists
from searchspace.finals.formatting import format_undecided
from searchspace.finals.select_winner import FinalistPredictions, make_ensemble, select_winner
from searchspace.finals.validation_images import FINALS_VALIDATION, format_validation, recorded_validation
from searchspace.spec import SearchSpec
from searchspace.study.study import read_study_attribute, write_study_attribute
from searchspace.study.trial_attributes import is_over_time_budget, read_config, read_curve
from trainables.common.reporter import Reporter
from trainables.config import Assignment, EpochReport
from trainables.metrics.metric_registry import METRICS
from trainables.storage.files import is_file

if TYPE_CHECKING:
    from trainables.workers.gang_pool import GangPool

logger = logging.getLogger(__name__)

MAX_ENSEMBLE_MEMBERS = 3
"""Finalists that an ensemble joins: the first by the search score, so that no re-score influences the choice."""


def choose_finalists(trials: Sequence[FrozenTrial], count: int) -> list[FrozenTrial]:
    """The best full-length trials; where there are too few, those that got furthest, by their newest score."""

    def rank(trial: FrozenTrial) -> tuple[bool, int, float]:
        last = read_curve(trial)[-1]
        return trial.state == TrialState.COMPLETE, last.epoch, last.objective_value

    able = [t for t in trials if t.state in {TrialState.COMPLETE, TrialState.PRUNED} and read_curve(t)]
    return sorted(able, key=rank, reverse=True)[:count]


def run_finals(spec: SearchSpec, study: optuna.Study, pool: "GangPool", reporter: Reporter) -> tuple[Finalist, ...]:
    """Train each finalist on the gangs, from each seed or on each fold; returns all finalists, the winner first.

    The configuration that the search began with is trained too, unless it is a finalist anyway.

    Raises `NoWinnerError` where no finalist can be trained.
    """
    trials = study.get_trials(deepcopy=False)
    chosen = choose_finalists(trials, spec.finalists)
    if not chosen:
        raise NoWinnerError(
            f"search {spec.name!r}: no trial came far enough to be a finalist{_format_reasons(spec, trials)}"
        )
    reference = choose_reference(spec, trials, chosen)
    validation = recorded_validation(spec.folder)
    for line in _describe_plan(spec, chosen, reference):
        logger.info(line)
    logger.info(format_validation(validation))
    trainings = _train_all(spec, study, [*chosen, *reference], pool, reporter)
    found = collect_predictions(trainings, validation)
    if not found.contenders:
        reason = next(training.report.reason for training in trainings if not training.is_complete)
        raise NoWinnerError(f"search {spec.name!r}: every finalist failed ({reason})")
    contenders = [*found.contenders, *_make_ensemble(spec, chosen, found.contenders)]
    finalists = select_winner(spec.metric, contenders, found.labels, found.folds, found.weights)
    write_study_attribute(study, FINALS_VALIDATION, validation.model_dump())
    write_finalists(study, finalists)
    baseline = make_baseline(spec, trials, chosen, contenders, found.labels, found.weights)
    write_study_attribute(study, BASELINE, baseline.model_dump())
    for training in trainings:
        spec.home.remove_folder(training.assignment.checkpoints)
    for line in format_undecided(spec.metric, finalists):
        logger.info(line)
    return finalists


def _describe_plan(spec: SearchSpec, chosen: Sequence[FrozenTrial], reference: Sequence[FrozenTrial]) -> list[str]:
    seeds = "1 fresh seed" if spec.final_seeds == 1 else f"{spec.final_seeds} fresh seeds each"
    if spec.folds > 1:
        seeds = f"{spec.folds} folds each" + (f", {spec.final_seeds} times" if spec.final_seeds > 1 else "")
    numbers = ", ".join(str(trial.number) for trial in chosen)
    lines = [f"finals: trials {numbers} again, {spec.max_epochs} epochs, {seeds}"]
    lines += [f"finals: trial {t.number}, the search's first configuration, for comparison" for t in reference]
    return lines


def _train_all(
    spec: SearchSpec, study: optuna.Study, finalists: Sequence[FrozenTrial], pool: "GangPool", reporter: Reporter
) -> list[FinalTraining]:
    """Train every finalist from every seed or on every fold, except what an earlier part of a resumed search did."""
    each = [final_assignments(spec, trial.number, read_config(trial)) for trial in finalists]
    tasks = [task for of_all in zip(*each, strict=True) for task in of_all]
    reports = {task.trial: report for task in tasks if (report := _recorded_report(study, task))}
    remaining = [task for task in tasks if task.trial not in reports]
    last_reports = pool.run_trials(remaining, _make_listener(spec, study, reporter, len(remaining)))
    reports |= {task.trial: report for task, report in zip(remaining, last_reports, strict=True)}
    return [
        FinalTraining(trial, task.fold.repeat if task.fold else index, task, reports[task.trial])
        for trial, own in zip(finalists, each, strict=True)
        for index, task in enumerate(own)
    ]


def _recorded_report(study: optuna.Study, task: Assignment) -> EpochReport | None:
    """The last report of a final that ended in an earlier part of the search; None if it has to be trained."""
    from trainables.metrics.predictions import VALIDATION_PREDICTIONS

    found = read_study_attribute(study, task.trial)
    report = EpochReport.model_validate(found) if found else None
    has_predictions = is_file(Path(task.folder) / VALIDATION_PREDICTIONS)
    return report if report and (has_predictions or report.status == "failed") else None


def _make_listener(
    spec: SearchSpec, study: optuna.Study, reporter: Reporter, count: int
) -> Callable[[EpochReport], None]:
    """A listener that shows the progress of `count` trainings, and records the last report of each."""
    epochs: dict[str, int] = {}

    def on_report(report: EpochReport) -> None:
        epochs[report.trial] = report.epoch if report.status == "running" else spec.max_epochs
        reporter.progress("finals: epochs", sum(epochs.values()), count * spec.max_epochs)
        if report.status != "running":
            write_study_attribute(study, report.trial, report.model_dump())
            outcome = report.reason or f"validation {METRICS[spec.metric].label} {report.score:.4f}"
            logger.info(f"{report.trial}  {report.status}, {outcome}, {report.total_seconds:.1f} s")

    return on_report


def _make_ensemble(
    spec: SearchSpec, chosen: Sequence[FrozenTrial], contenders: Sequence[FinalistPredictions]
) -> list[FinalistPredictions]:
    """The ensemble of the first finalists, if the search asks for one and their seeds allow it."""
    if not spec.ensemble:
        return []
    numbers = {(trial.number,) for trial in chosen}
    ensemble = make_ensemble([c for c in contenders if c.members in numbers][:MAX_ENSEMBLE_MEMBERS])
    if ensemble is None:
        logger.info("no ensemble: it takes two finalists that ended with the same seed")
        return []
    return [ensemble]


def _format_reasons(spec: SearchSpec, trials: Sequence[FrozenTrial]) -> str:
    """The most frequent reason of the trials' ends, and how to resume where the time budget was too short."""
    reasons = Counter(t.user_attrs["reason"] for t in trials if "reason" in t.user_attrs)
    most = "".join(f"; {count} of them: {reason}" for reason, count in reasons.most_common(1))
    remedy = f"; give --resume {spec.name} and a longer --time-budget than {spec.time_budget:g}s"
    return most + (remedy if any(map(is_over_time_budget, trials)) else "")
