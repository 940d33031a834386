"""The finals: the finalists are trained again from fresh seeds, and scored on images that were not used to choose them.

The best of 64 noisy validation scores is biased upwards: by its seed and by the validation images. Fresh seeds remove
the first part of that bias, images of their own the second. Of a small set those images are few; `--folds` scores the
finalists on all images that the search trained on, each by a training that it was held out of.
"""

import logging
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import optuna
from optuna.trial import FrozenTrial

from searchspace.budget.allowance import Allowance, Phase, unlimited
from searchspace.finals.baseline import BASELINE, make_baseline
from searchspace.finals.ensembles.extra_contenders import extra_contenders
from searchspace.finals.ensembles.proposal import propose_ensemble
from searchspace.finals.final_trainings import collect_predictions
from searchspace.finals.finalist import Finalist, write_finalists
from searchspace.finals.formatting import format_undecided
from searchspace.finals.race.field import (
    choose_field,
    choose_finalists,
    describe_field,
    make_race_record,
    with_unscored_winner,
)
from searchspace.finals.race.race_record import write_race
from searchspace.finals.race.race_trainings import RaceTrainings
from searchspace.finals.select_winner import select_winner
from searchspace.finals.validation_images import FINALS_VALIDATION, format_validation, recorded_validation
from searchspace.spec import SearchSpec
from searchspace.study.study import write_study_attribute
from searchspace.study.trial_attributes import is_over_time_budget
from trainables.common.errors import NoWinnerError
from trainables.common.reporter import Reporter
from trainables.config import EpochReport
from trainables.metrics.metric_registry import METRICS

if TYPE_CHECKING:
    from trainables.workers.gang_pool import GangPool

logger = logging.getLogger(__name__)


def run_finals(
    spec: SearchSpec, study: optuna.Study, pool: "GangPool", reporter: Reporter, allowance: Allowance = unlimited,
    can_win: Callable[[int], bool] = lambda _trial: True,
) -> tuple[Finalist, ...]:  # fmt: skip
    """Train the finalists on the gangs, as long as they can win; returns those that have a score, the winner first.

    The configuration that the search began with is trained too, and the best probe, unless they are finalists anyway;
    what is hopeless by the search is not. What takes longer than the `allowance` of the finals is not begun: where the
    best of the search has no re-score for that reason, it may win by its search score. A trial that cannot win, since
    there is no time to retrain it, is no finalist.

    Raises `NoWinnerError` where no finalist can be trained.
    """
    trials = study.get_trials(deepcopy=False)
    chosen = choose_finalists([trial for trial in trials if can_win(trial.number)] or trials, spec.finalists)
    if not chosen:
        raise NoWinnerError(
            f"search {spec.name!r}: no trial came far enough to be a finalist{_format_reasons(spec, trials)}"
        )
    validation = recorded_validation(spec.folder)
    proposal = propose_ensemble(spec, trials, chosen)
    joined = [trial for trial in trials if proposal and trial.number in proposal.members]
    field = choose_field(spec, trials, chosen, validation, joined)
    proposed = [f"finals: {proposal.describe(spec)}"] if proposal else []
    for line in (*describe_field(spec, field), *proposed, format_validation(validation)):
        logger.info(line)
    race = RaceTrainings(spec, study, field.plans, validation, allowance)
    pool.run_source(race, _make_listener(spec, race, reporter))
    found = collect_predictions(race.trainings, validation)
    found = replace(found, contenders=[*found.contenders, *extra_contenders(spec, chosen, found.contenders, proposal)])
    scored = select_winner(
        spec.metric, found.contenders, found.labels, found.folds, found.weights, race.design
    ) if found.contenders else ()  # fmt: skip
    finalists = with_unscored_winner(spec.metric, field, scored, race.begun)
    if not finalists:
        reason = next(training.report.reason for training in race.trainings if not training.is_complete)
        raise NoWinnerError(f"search {spec.name!r}: every finalist failed ({reason})")
    record = make_race_record(field, race.trainings, finalists, bounded=math.isfinite(allowance(Phase.FINALS)))
    write_study_attribute(study, FINALS_VALIDATION, validation.model_dump())
    write_finalists(study, finalists)
    write_race(study, record)
    reasons = {each.trial: each.describe_reason(spec.metric) for each in record.dropped if not each.trained}
    write_study_attribute(study, BASELINE, make_baseline(spec, trials, chosen, found, reasons).model_dump())
    for task in race.assignments:
        spec.home.remove_folder(task.checkpoints)
    for line in (record.describe(spec.metric), *format_undecided(spec.metric, finalists)):
        logger.info(line)
    return finalists


def _make_listener(spec: SearchSpec, race: RaceTrainings, reporter: Reporter) -> Callable[[EpochReport], None]:
    """A listener that shows the progress of the race, and logs the end of each training."""
    epochs: dict[str, int] = {}

    def on_report(report: EpochReport) -> None:
        epochs[report.trial] = report.epoch if report.status == "running" else spec.max_epochs
        done = sum(epochs.values())
        reporter.progress("finals: epochs", done, max(done, race.remaining() * spec.max_epochs))
        if report.status != "running":
            outcome = report.reason or f"validation {METRICS[spec.metric].label} {report.score:.4f}"
            logger.info(f"{report.trial}  {report.status}, {outcome}, {report.total_seconds:.1f} s")

    return on_report


def _format_reasons(spec: SearchSpec, trials: Sequence[FrozenTrial]) -> str:
    """The most frequent reason of the trials' ends, and how to resume where the time budget was too short."""
    reasons = Counter(t.user_attrs["reason"] for t in trials if "reason" in t.user_attrs)
    most = "".join(f"; {count} of them: {reason}" for reason, count in reasons.most_common(1))
    remedy = f"; give --resume {spec.name} and a longer --time-budget than {spec.time_budget:g}s"
    return most + (remedy if any(map(is_over_time_budget, trials)) else "")
