"""Revives a stopped trial: resumes it from its checkpoint to full length, after its search is over.

The finished search does not change: the study gets a new trial of the same configuration, with the old epochs and the
new ones. It cannot become the winner, because the test split of that search may have been opened.
"""

import logging
from typing import TYPE_CHECKING

import optuna
from optuna.trial import FrozenTrial, TrialState

from searchspace.engine.assignments import search_assignment
from searchspace.spec import SearchSpec
from searchspace.study.study import load_own_study
from searchspace.study.trial_attributes import curve_attributes, read_config, read_curve, read_seed, read_standing
from trainables.common.errors import UserError
from trainables.config import Assignment, EpochReport

if TYPE_CHECKING:
    from trainables.workers.gang_pool import GangPool

logger = logging.getLogger(__name__)


def choose_revived(study: optuna.Study, spec: SearchSpec, number: int) -> FrozenTrial:
    """The stopped trial of this number; raises `UserError` for one that cannot be resumed."""
    from trainables.training.checkpoint import read_checkpoint

    trials = {trial.number: trial for trial in study.get_trials(deepcopy=False)}
    stopped = [n for n, trial in trials.items() if read_standing(trial) and trial.state == TrialState.PRUNED]
    if number not in stopped:
        listed = ", ".join(map(str, stopped)) or "none"
        raise UserError(f"--revive {number}: not a stopped trial of {spec.name!r}; those are {listed}")
    task = _assignment(spec, trials[number])
    if read_checkpoint(task.checkpoints) is None:
        raise UserError(f"--revive {number}: there is no good checkpoint of it in {task.folder!r}")
    return trials[number]


def revive(spec: SearchSpec, number: int, pool: "GangPool") -> FrozenTrial:
    """Train a stopped trial on to its full length, and add the result to the study as a new trial."""
    study = load_own_study(spec, spec.folder)
    stopped = choose_revived(study, spec, number)
    curve = read_curve(stopped)
    logger.info(f"trial {number} is resumed from epoch {curve[-1].epoch}: {stopped.user_attrs['reason']}")

    def hear(report: EpochReport) -> None:
        if report.status == "failed" or report.epoch > curve[-1].epoch:
            curve.append(report)
            logger.info(f"epoch {report.epoch}/{spec.max_epochs}  score {report.score:.4f}  {report.reason}".rstrip())

    pool.run_trials([_assignment(spec, stopped)], hear)
    study.add_trial(_revived(stopped, curve))
    return study.get_trials(deepcopy=False)[-1]


def describe(study: optuna.Study, revived: FrozenTrial) -> str:
    """One line: the revived trial's score, beside the best score of the trials that were not stopped."""
    number = revived.user_attrs["revives"]
    if revived.state != TrialState.COMPLETE:
        return f"trial {number} failed: {revived.user_attrs['reason']}"
    others = [
        trial for trial in study.get_trials(deepcopy=False)
        if trial.state == TrialState.COMPLETE and "revives" not in trial.user_attrs
    ]  # fmt: skip
    best = max(others, key=lambda trial: trial.value or 0.0, default=None)
    beside = f"; the search's best is trial {best.number} with {best.value:.4f}" if best else ""
    return f"trial {number}, revived as trial {revived.number}, scored {revived.value:.4f}{beside}"


def _revived(stopped: FrozenTrial, curve: list[EpochReport]) -> FrozenTrial:
    last = curve[-1]
    kept = {name: stopped.user_attrs[name] for name in ("config", "seed", "cost") if name in stopped.user_attrs}
    attributes = kept | {"revives": stopped.number} | curve_attributes(curve)
    return optuna.trial.create_trial(
        state=TrialState.COMPLETE if last.status == "complete" else TrialState.FAIL,
        value=last.score if last.status == "complete" else None,
        params=stopped.params,
        distributions=stopped.distributions,
        intermediate_values={report.epoch: report.score for report in curve if report.status != "failed"},
        user_attrs=attributes | ({"reason": last.reason} if last.reason else {}),
    )


def _assignment(spec: SearchSpec, trial: FrozenTrial) -> Assignment:
    return search_assignment(spec, trial.number, read_config(trial), read_seed(trial))
