"""The finals: finalists trained again from fresh seeds, a winner chosen by them, retrained, tested once.

The best of 64 noisy validation scores flatters itself; a fresh seed does not know that it won.
"""

import csv
import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import optuna
from optuna.trial import FrozenTrial, TrialState

from searchspace.seeds import derive_seed
from searchspace.spec import SearchSpec
from searchspace.study import config_of, curve_of, put_record
from trainables import scores
from trainables.config import Assignment, EpochReport, Frozen, TrialConfig
from trainables.metrics import TestMetrics, measure

if TYPE_CHECKING:
    from trainables.gang import GangPool

METRICS = "metrics.json"


class Finalist(Frozen):
    """One of the top trials, trained again."""

    number: int
    """Its trial's number."""
    search_score: float
    """Validation score in the search, in its metric."""
    score: float
    """Validation score of the fresh training, in the search's metric."""
    val_loss: float
    """Validation cross-entropy of the fresh training, in nats."""
    seconds: float
    """Seconds it took."""


class NoWinnerError(RuntimeError):
    """No trial, or no finalist, came to an end; there is nothing to choose from."""


def choose_finalists(trials: Sequence[FrozenTrial], count: int) -> list[FrozenTrial]:
    """The best full-length trials; where there are too few, those that got furthest, by their newest score."""

    def rank(trial: FrozenTrial) -> tuple[bool, int, float]:
        last = curve_of(trial)[-1]
        return trial.state == TrialState.COMPLETE, last.epoch, last.score

    able = [t for t in trials if t.state in {TrialState.COMPLETE, TrialState.PRUNED} and curve_of(t)]
    return sorted(able, key=rank, reverse=True)[:count]


def choose_winner(finalists: Sequence[Finalist]) -> Finalist:
    """Highest fresh validation score; equal ones by the lower validation loss."""
    return max(finalists, key=lambda finalist: (finalist.score, -finalist.val_loss))


def run_finals(spec: SearchSpec, study: optuna.Study, pool: "GangPool", say: Callable[[str], None]) -> Finalist:
    """Train the finalists on the gangs, choose the winner, retrain it on train+val into `winner/`.

    Raises `NoWinnerError` where there is nothing to choose from.
    """
    chosen = choose_finalists(study.get_trials(deepcopy=False), spec.finalists)
    if not chosen:
        raise NoWinnerError(f"search {spec.name!r}: no trial came far enough to be a finalist{_why(study)}")
    say(f"finals: trials {', '.join(str(t.number) for t in chosen)} again, {spec.max_epochs} epochs, fresh seeds")
    reports = pool.train([_assignment(spec, t.number, config_of(t)) for t in chosen], _announcer(spec, say))
    finalists = [
        Finalist(
            number=trial.number, search_score=curve_of(trial)[-1].score, score=report.score,
            val_loss=report.val_loss, seconds=report.total_seconds,
        )
        for trial, report in zip(chosen, reports, strict=True)
        if report.status == "complete"
    ]  # fmt: skip
    if not finalists:
        raise NoWinnerError(f"search {spec.name!r}: every finalist failed ({reports[0].reason})")
    put_record(study, "finalists", [finalist.model_dump() for finalist in finalists])
    winner = choose_winner(finalists)
    put_record(study, "winner", winner.number)
    config = next(config_of(trial) for trial in chosen if trial.number == winner.number)
    say(f"winner: trial {winner.number} ({config.model}), retrained on train+val")
    _must_end_well(pool.train([_assignment(spec, winner.number, config, winner=True)])[0])
    return winner


def _why(study: optuna.Study) -> str:
    """What most trials failed of, for an error's line."""
    reasons = Counter(t.user_attrs["reason"] for t in study.get_trials(deepcopy=False) if "reason" in t.user_attrs)
    return "".join(f"; {count} of them: {reason}" for reason, count in reasons.most_common(1))


def _announcer(spec: SearchSpec, say: Callable[[str], None]) -> Callable[[EpochReport], None]:
    def announce(report: EpochReport) -> None:
        if report.status != "running":
            outcome = report.reason or f"validation {scores.METRICS[spec.metric].words} {report.score:.4f}"
            say(f"{report.trial}  {report.status}, {outcome}, {report.total_seconds:.1f} s")

    return announce


def _assignment(spec: SearchSpec, number: int, config: TrialConfig, winner: bool = False) -> Assignment:
    name = "winner" if winner else f"final-{number}"
    return Assignment(
        trial=name, kind="winner" if winner else "final", metric=spec.metric, config=config, max_epochs=spec.max_epochs,
        seed=derive_seed(spec.seed, name, number),
        folder=str(spec.folder / "winner" if winner else spec.folder / "trials" / name),
    )  # fmt: skip


def evaluate_winner(spec: SearchSpec, classes: tuple[str, ...], pool: "GangPool") -> TestMetrics:
    """Open the test split, once for this search, evaluate the retrained winner on it, and write the metrics."""
    from trainables.predictions import read_predictions

    folder = spec.folder / "winner"
    open_test_split(folder)
    config = TrialConfig()  # a test trains nothing
    task = Assignment(trial="test", kind="test", config=config, seed=spec.seed, max_epochs=1, folder=str(folder))
    _must_end_well(pool.train([task])[0])
    metrics = measure(*read_predictions(folder), classes, derive_seed(spec.seed, "bootstrap"))
    (folder / METRICS).write_text(metrics.model_dump_json(indent=1))
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
    with (folder / "confusion.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["true \\ predicted", *names])
        writer.writerows([name, *row] for name, row in zip(names, metrics.confusion, strict=True))
    from searchspace.plots import draw_confusion

    draw_confusion(folder / "confusion.png", names, metrics)


def _must_end_well(report: EpochReport) -> None:
    if report.status != "complete":
        raise NoWinnerError(f"{report.trial}: {report.reason}")
