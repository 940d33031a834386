"""The winner: retrained on train+val, then tested, once."""

import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import optuna
from pydantic import TypeAdapter

from searchspace.budget.budget import Budget
from searchspace.engine.assignments import evaluation_assignment, winner_assignments
from searchspace.finals.finalist import Finalist
from searchspace.finals.formatting import format_finalist
from searchspace.spec import SearchSpec
from searchspace.storage.search_folder import WINNER, archived_names
from searchspace.study.study import parse_study_attribute, read_study_attribute, write_study_attribute
from searchspace.study.trial_attributes import read_config
from trainables.common.errors import NoWinnerError
from trainables.common.escaping import write_csv
from trainables.common.reporter import Reporter
from trainables.config import EpochReport
from trainables.metrics.class_metrics import TestMetrics, measure_test_metrics
from trainables.storage.files import create_file, is_file, read_record, replacing_text, write_file
from trainables.storage.folders import is_folder, rename

if TYPE_CHECKING:
    from trainables.workers.gang_pool import GangPool

logger = logging.getLogger(__name__)

METRICS_FILE = "metrics.json"
RETRAINED = "retrained"
"""Attribute of the study: the name of the winner that has been retrained."""
RETRAINED_TRIALS = "retrained of"
"""Attribute of the study: the number of trials that had been asked for then."""
RETRAINED_BUDGET = "retrained of budget"
"""Attribute of the study: the budget that had been asked for then, if there was one."""


def retrain_winner(
    spec: SearchSpec, study: optuna.Study, winner: Finalist, pool: "GangPool", reporter: Reporter
) -> None:
    """Train the winner on train+val into `winner/`, an ensemble's members side by side; raises `NoWinnerError`.

    Does nothing if that was done before. An earlier winner, of fewer trials, is archived first.
    """
    from trainables.export.weights import write_ensemble

    if is_retrained(study, winner):
        return
    archive_winner(spec, study)
    trials = {trial.number: trial for trial in study.get_trials(deepcopy=False)}
    configs = [read_config(trials[number]) for number in winner.members]
    logger.info(
        f"winner: {format_finalist(winner)} ({', '.join(config.model for config in configs)}), retrained on train+val"
    )
    tasks = winner_assignments(spec, list(zip(winner.members, configs, strict=True)))
    epochs: dict[str, int] = {}

    def on_report(report: EpochReport) -> None:
        epochs[report.trial] = report.epoch
        reporter.progress("winner: epochs", sum(epochs.values()), len(tasks) * spec.max_epochs)

    for report in pool.run_trials(tasks, on_report):
        _check_completed(report)
    if len(tasks) > 1:
        write_ensemble(spec.folder / WINNER, len(tasks), winner.counts)
    write_study_attribute(study, RETRAINED_TRIALS, spec.trials)
    write_study_attribute(study, RETRAINED_BUDGET, spec.budget.model_dump() if spec.budget else None)
    write_study_attribute(study, RETRAINED, _retrained_name(winner))
    for task in tasks:
        spec.home.remove_folder(task.checkpoints)


def is_retrained(study: optuna.Study, winner: Finalist) -> bool:
    """Whether this winner has been retrained; earlier versions recorded every ensemble by the same name."""
    return read_study_attribute(study, RETRAINED) in {_retrained_name(winner), winner.name}


def _retrained_name(winner: Finalist) -> int | str:
    return winner.members[0] if len(winner.members) == 1 else format_finalist(winner)


def evaluate_winner(spec: SearchSpec, classes: tuple[str, ...], pool: "GangPool") -> TestMetrics:
    """Open the test split, once for this winner, evaluate it there, and write the metrics.

    Where the search was interrupted after that, the metrics are read, or the winner is evaluated by the same permit.
    """
    from trainables.metrics.predictions import TEST_PERMIT

    folder = spec.folder / WINNER
    if not is_file(folder / TEST_PERMIT):
        open_test_split(folder)
    return evaluate_classifier(spec, folder, classes, pool)


def evaluate_classifier(spec: SearchSpec, folder: Path, classes: tuple[str, ...], pool: "GangPool") -> TestMetrics:
    """Evaluate the classifier in `folder` on the test split, by the permit there; metrics that exist are read."""
    from trainables.metrics.predictions import read_predictions, read_weights

    if is_file(folder / METRICS_FILE):
        return read_record(folder / METRICS_FILE, TestMetrics)
    _check_completed(pool.run_trials([evaluation_assignment(spec, folder)])[0])
    metrics = measure_test_metrics(*read_predictions(folder), classes, read_weights(folder))
    write_confusion(folder, metrics)
    write_file(folder / METRICS_FILE, metrics.model_dump_json(indent=1).encode())
    return metrics


def archive_winner(spec: SearchSpec, study: optuna.Study) -> None:
    """Rename `winner/` to `winner-1/` (and so on) where an extended search gets another winner.

    Its student, if it has one, is archived with it.
    """
    if read_study_attribute(study, RETRAINED) is None:
        return
    for name, archived in archived_names(spec.folder).items():
        if is_folder(spec.folder / name):
            rename(spec.folder / name, spec.folder / archived)
    write_study_attribute(study, RETRAINED, None)


def is_winner_outdated(study: optuna.Study, trials: int, budget: Budget | None = None) -> bool:
    """Whether a winner was retrained when fewer than `trials` trials, or a smaller `budget`, had been asked for."""
    if read_study_attribute(study, RETRAINED) is None:
        return False
    earlier = parse_study_attribute(study, RETRAINED_BUDGET, TypeAdapter(Budget))
    grown = budget is not None and budget.exceeds(earlier)
    return grown or (read_study_attribute(study, RETRAINED_TRIALS) or 0) < trials


def open_test_split(folder: Path) -> None:
    """Write the permit that opens the test split; raises `FileExistsError` if this search has opened it before."""
    from trainables.metrics.predictions import TEST_PERMIT

    opened = {"opened": datetime.now(UTC).isoformat(timespec="seconds")}
    create_file(folder / TEST_PERMIT, json.dumps(opened).encode())


def write_confusion(folder: Path, metrics: TestMetrics) -> None:
    """Write the confusion matrix as `confusion.csv` and `confusion.png`."""
    classes = [entry.name for entry in metrics.classes]
    with replacing_text(folder / "confusion.csv", newline="") as file:
        rows = ([name, *row] for name, row in zip(classes, metrics.confusion, strict=True))
        write_csv(file, [["true \\ predicted", *classes], *rows])
    from searchspace.reporting.plots import draw_confusion

    write_file(folder / "confusion.png", draw_confusion(classes, metrics))


def _check_completed(report: EpochReport) -> None:
    if report.status != "complete":
        raise NoWinnerError(f"{report.trial}: {report.reason}")
