"""The winner: retrained on train+val, then tested, once."""

import csv
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import optuna

from searchspace.proof.verdict import Finalist, NoWinnerError
from searchspace.proof.wording import say_name
from searchspace.seeds import derive_seed
from searchspace.spec import SearchSpec
from searchspace.study import config_of
from trainables.config import Assignment, EpochReport, TrialConfig
from trainables.metrics import TestMetrics, measure

if TYPE_CHECKING:
    from trainables.gang import GangPool

METRICS = "metrics.json"


def retrain_winner(
    spec: SearchSpec, study: optuna.Study, winner: Finalist, pool: "GangPool", say: Callable[[str], None]
) -> None:
    """Train the winner on train+val into `winner/`, an ensemble's members side by side; raises `NoWinnerError`."""
    from trainables.weights import member_folder, write_ensemble

    trials = {trial.number: trial for trial in study.get_trials(deepcopy=False)}
    configs = [config_of(trials[number]) for number in winner.members]
    say(f"winner: {say_name(winner)} ({', '.join(config.model for config in configs)}), retrained on train+val")
    folder = spec.folder / "winner"
    whole = len(configs) == 1
    tasks = [
        Assignment(
            trial="winner" if whole else f"winner-{index}", kind="winner", config=config, max_epochs=spec.max_epochs,
            seed=derive_seed(spec.seed, "winner", number),
            folder=str(folder if whole else member_folder(folder, index)),
        )
        for index, (number, config) in enumerate(zip(winner.members, configs, strict=True))
    ]  # fmt: skip
    for report in pool.train(tasks):
        _must_end_well(report)
    if not whole:
        write_ensemble(folder, len(tasks))


def evaluate_winner(spec: SearchSpec, classes: tuple[str, ...], pool: "GangPool") -> TestMetrics:
    """Open the test split, once for this search, evaluate the retrained winner on it, and write the metrics."""
    from trainables.predictions import read_predictions

    folder = spec.folder / "winner"
    open_test_split(folder)
    config = TrialConfig()  # a test trains nothing
    task = Assignment(trial="test", kind="test", config=config, seed=spec.seed, max_epochs=1, folder=str(folder))
    _must_end_well(pool.train([task])[0])
    metrics = measure(*read_predictions(folder), classes, derive_seed(spec.seed, "bootstrap"))
    (folder / METRICS).write_text(metrics.model_dump_json(indent=1), encoding="utf-8")
    write_confusion(folder, metrics)
    return metrics


def open_test_split(folder: Path) -> None:
    """Write the permit that opens the test split; raises `FileExistsError` if this search has opened it before."""
    from trainables.predictions import PERMIT

    permit = os.open(folder / PERMIT, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    with os.fdopen(permit, "w") as file:
        json.dump({"opened": datetime.now(UTC).isoformat(timespec="seconds")}, file)


def write_confusion(folder: Path, metrics: TestMetrics) -> None:
    """Write the confusion matrix as `confusion.csv` and `confusion.png`."""
    names = [entry.name for entry in metrics.classes]
    with (folder / "confusion.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["true \\ predicted", *names])
        writer.writerows([name, *row] for name, row in zip(names, metrics.confusion, strict=True))
    from searchspace.plots import draw_confusion

    draw_confusion(folder / "confusion.png", names, metrics)


def _must_end_well(report: EpochReport) -> None:
    if report.status != "complete":
        raise NoWinnerError(f"{report.trial}: {report.reason}")
