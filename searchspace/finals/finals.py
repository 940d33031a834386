"""The finals: finalists trained again from fresh seeds, and scored on images that did not choose them.

The best of 64 noisy validation scores flatters itself: its seed was lucky, and so were its images. Fresh seeds alone
take back the first half of that.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState

from searchspace.engine.seeds import derive_seed
from searchspace.finals.baseline import BASELINE, choose_reference, make_baseline
from searchspace.finals.formatting import tell_doubts
from searchspace.finals.select_winner import Contender, Finalist, NoWinnerError, join, judge
from searchspace.finals.validation_images import RECORD, recorded_validation, say_validation
from searchspace.spec import SearchSpec
from searchspace.study.study import get_record, put_record
from searchspace.study.trial_attributes import BUDGET, config_of, curve_of
from trainables.common.reporter import Teller
from trainables.config import Assignment, EpochReport
from trainables.metrics.scores import METRICS
from trainables.storage.files import is_file

if TYPE_CHECKING:
    from trainables.workers.gang_pool import GangPool

MEMBERS = 3
"""Finalists that an ensemble joins, at most: the first by the search, so that no re-score has a say in who they are."""


def choose_finalists(trials: Sequence[FrozenTrial], count: int) -> list[FrozenTrial]:
    """The best full-length trials; where there are too few, those that got furthest, by their newest score."""

    def rank(trial: FrozenTrial) -> tuple[bool, int, float]:
        last = curve_of(trial)[-1]
        return trial.state == TrialState.COMPLETE, last.epoch, last.objective_value

    able = [t for t in trials if t.state in {TrialState.COMPLETE, TrialState.PRUNED} and curve_of(t)]
    return sorted(able, key=rank, reverse=True)[:count]


def run_finals(spec: SearchSpec, study: optuna.Study, pool: "GangPool", teller: Teller) -> tuple[Finalist, ...]:
    """Train the finalists on the gangs, from `spec.final_seeds` seeds each; returns all, judged, the winner first.

    The configuration that the search began with is trained beside them, unless it is one of them.

    Raises `NoWinnerError` where there is nothing to choose from.
    """
    trials = study.get_trials(deepcopy=False)
    chosen = choose_finalists(trials, spec.finalists)
    if not chosen:
        raise NoWinnerError(f"search {spec.name!r}: no trial came far enough to be a finalist{_why(spec, study)}")
    beside = choose_reference(spec, trials, chosen)
    everyone = [*chosen, *beside]
    seeds = "1 fresh seed" if spec.final_seeds == 1 else f"{spec.final_seeds} fresh seeds each"
    teller.say(f"finals: trials {', '.join(str(t.number) for t in chosen)} again, {spec.max_epochs} epochs, {seeds}")
    if beside:
        teller.say(f"finals: trial {beside[0].number}, which the search began with, beside them for comparison")
    validation = recorded_validation(spec.folder)
    teller.say(say_validation(validation))
    tasks = [_assignment(spec, trial, index) for index in range(spec.final_seeds) for trial in everyone]
    ended = {task.folder: report for task in tasks if (report := _known_end(study, task))}
    left = [task for task in tasks if task.folder not in ended]
    reports = pool.train(left, _announcer(spec, study, teller, len(left)))
    ended |= dict(zip([task.folder for task in left], reports, strict=True))
    labels, contenders = _gather(spec, everyone, ended)
    if not contenders:
        raise NoWinnerError(f"search {spec.name!r}: every finalist failed ({ended[tasks[0].folder].reason})")
    numbers = [(trial.number,) for trial in chosen]
    joined = join([c for c in contenders if c.members in numbers][:MEMBERS]) if spec.ensemble else None
    if spec.ensemble and joined is None:
        teller.say("no ensemble: it takes two finalists that ended with the same seed")
    contenders += [joined] if joined else []
    finalists = judge(spec.metric, contenders, labels)
    put_record(study, RECORD, validation.model_dump())
    put_record(study, "finalists", [finalist.model_dump() for finalist in finalists])
    put_record(study, "winner", finalists[0].name)
    put_record(study, BASELINE, make_baseline(spec, trials, chosen, contenders, labels).model_dump())
    for task in tasks:
        spec.home.remove(Path(task.folder) / "checkpoints")  # nobody goes on from them
    for doubt in tell_doubts(spec.metric, finalists):
        teller.say(doubt)
    return finalists


def _gather(
    spec: SearchSpec, chosen: Sequence[FrozenTrial], ended: dict[str, EpochReport]
) -> tuple[NDArray[np.int64], list[Contender]]:
    """The validation labels, and the finalists of which at least one seed came to an end."""
    from trainables.metrics.predictions import VALIDATION, read_predictions

    labels, contenders = np.zeros(0, np.int64), []
    for trial in chosen:
        found = {}
        folders = [_folder(spec, trial.number, index) for index in range(spec.final_seeds)]
        for index, folder in enumerate(folders):
            if ended[str(folder)].status == "complete":
                found[index], labels = read_predictions(folder, VALIDATION)
        contender = Contender(
            members=(trial.number,), search_score=curve[-1].score if (curve := curve_of(trial)) else None,
            full_length=trial.state == TrialState.COMPLETE, probabilities=found, lost=len(folders) - len(found),
            seconds=sum(ended[str(folder)].total_seconds for folder in folders),
        )  # fmt: skip
        contenders += [contender] if found else []
    return labels, contenders


def _why(spec: SearchSpec, study: optuna.Study) -> str:
    """What most trials ended with, for an error's line, and how to go on where it was the time budget."""
    reasons = Counter(t.user_attrs["reason"] for t in study.get_trials(deepcopy=False) if "reason" in t.user_attrs)
    said = "".join(f"; {count} of them: {reason}" for reason, count in reasons.most_common(1))
    again = f"; go on with --resume {spec.name} and a longer --time-budget than {spec.time_budget:g}s"
    return said + (again if BUDGET in reasons else "")


def _known_end(study: optuna.Study, task: Assignment) -> EpochReport | None:
    """What a final came to in an earlier part of a search that was resumed; None if it has to be trained."""
    from trainables.metrics.predictions import VALIDATION

    found = get_record(study, task.trial)
    report = EpochReport.model_validate(found) if found else None
    there = is_file(Path(task.folder) / VALIDATION)
    return report if report and (there or report.status == "failed") else None


def _announcer(spec: SearchSpec, study: optuna.Study, teller: Teller, count: int) -> Callable[[EpochReport], None]:
    epochs: dict[str, int] = {}

    def announce(report: EpochReport) -> None:
        epochs[report.trial] = report.epoch if report.status == "running" else spec.max_epochs
        teller.step("finals: epochs", sum(epochs.values()), count * spec.max_epochs)
        if report.status != "running":
            put_record(study, report.trial, report.model_dump())
            outcome = report.reason or f"validation {METRICS[spec.metric].words} {report.score:.4f}"
            teller.say(f"{report.trial}  {report.status}, {outcome}, {report.total_seconds:.1f} s")

    return announce


def _folder(spec: SearchSpec, number: int, index: int) -> Path:
    return spec.folder / "trials" / f"final-{number}-{index}"


def _assignment(spec: SearchSpec, trial: FrozenTrial, index: int) -> Assignment:
    folder = _folder(spec, trial.number, index)
    return Assignment(
        trial=folder.name, kind="final", metric=spec.metric, config=config_of(trial), max_epochs=spec.max_epochs,
        seed=derive_seed(spec.seed, "final", trial.number, index), folder=str(folder),
    )  # fmt: skip
