"""The early end of a search (`--patience`): what it has found so far is put to `decide_end` after each report."""

import logging
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

import optuna
from optuna.trial import TrialState

from searchspace.budget.allowance import Phase
from searchspace.engine.active_trials import ActiveTrial
from searchspace.engine.events import EngineContext
from searchspace.engine.family_chooser import FamilyChooser, make_pooled_chooser
from searchspace.families.enough import EndDecision, Found, Remainder, chance_of_better, decide_end
from searchspace.sampling.window import ENQUEUED_VALUES
from searchspace.spaces import Task
from searchspace.spec import SearchSpec
from searchspace.stopping.rule import StoppingRule
from searchspace.study.early_end import EarlyEnd, recall_early_end, record_early_end
from searchspace.study.trial_attributes import is_revived, read_last_report
from trainables.config import EpochReport

logger = logging.getLogger(__name__)


def make_convergence(
    spec: SearchSpec, task: Task, study: optuna.Study, context: EngineContext, rule: StoppingRule,
    families: FamilyChooser | None,
) -> "Convergence":  # fmt: skip
    """What ends a search early; nothing does without `--patience`.

    Where there is no choice between `families`, as in most search spaces of one's own, all trials count as one family.
    """
    end = recall_early_end(study, spec)
    if not spec.patience:
        return NeverEnds()
    beliefs = families or make_pooled_chooser(spec, task, study.get_trials(deepcopy=False), context)
    return ConvergenceMonitor(study, spec, context, rule, Beliefs(beliefs, pooled=families is None), end)


class Convergence(Protocol):
    """Decides whether a search ends early."""

    @property
    def has_ended(self) -> bool:
        """Whether it ends: no trial begins or is promoted any more."""

    def hear(self, trial: ActiveTrial, open_trials: Collection[ActiveTrial], trials_left: int) -> None:
        """Hear of a trial's newest report, and decide; `open_trials` are not over, and so many are to begin."""


class NeverEnds:
    """A search without patience."""

    has_ended = False

    def hear(self, trial: ActiveTrial, open_trials: Collection[ActiveTrial], trials_left: int) -> None:
        """Nothing."""


@dataclass(frozen=True)
class Beliefs:
    """What a search believes of its trials."""

    families: FamilyChooser
    """What is known of each family."""
    pooled: bool
    """Whether that is one for all trials, which hears of them from here alone."""


class ConvergenceMonitor:
    """Hears of all reports, and decides once that a search ends; the study has that decision.

    When a search is resumed, trials without gain are counted anew.
    """

    def __init__(
        self, study: optuna.Study, spec: SearchSpec, context: EngineContext, rule: StoppingRule, beliefs: Beliefs,
        end: EarlyEnd | None = None,
    ) -> None:  # fmt: skip
        """Judge by `beliefs`, and by which trials `rule` trains on; a search that is resumed may have ended: `end`."""
        self._study, self._spec, self._context, self._rule = study, spec, context, rule
        self._beliefs, self._pooled, self._end = beliefs.families, beliefs.pooled, end
        self._highest = max(self._beliefs.best_scores(), default=-math.inf)
        self._without_gain = 0
        self._best: tuple[int, EpochReport] | None = None
        for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            if not is_revived(trial) and (last := read_last_report(trial)) is not None:
                self._hear_complete(trial.number, last)

    @property
    def has_ended(self) -> bool:
        """Whether that decision was made."""
        return self._end is not None

    def hear(self, trial: ActiveTrial, open_trials: Collection[ActiveTrial], trials_left: int) -> None:
        """Hear of a trial's newest report, and decide; `open_trials` are not over, and so many are to begin."""
        if self._pooled:
            self._beliefs.hear(trial.number, trial.assignment.config, trial.curve)
        last = trial.last
        if last.status != "failed" and last.score > self._highest:
            self._highest, self._without_gain = last.score, 0
        elif len(trial.curve) == 1:
            self._without_gain += 1
        if last.status == "complete":
            self._hear_complete(trial.number, last)
        unfinished = [each for each in open_trials if each.is_unfinished and self._may_train_on(each)]
        self._decide(unfinished, max(0, trials_left))

    def _may_train_on(self, trial: ActiveTrial) -> bool:
        """Whether a trial trains, will, or waits among those of its rung that the stopping rule trains on."""
        standing = self._rule.standing(trial.number)
        return standing is None or standing.rank <= max(1, standing.of // self._spec.reduction_factor)

    def _hear_complete(self, number: int, last: EpochReport) -> None:
        if self._best is None or last.objective_value > self._best[1].objective_value:
            self._best = number, last

    def _decide(self, unfinished: Sequence[ActiveTrial], trials_left: int) -> None:
        if self.has_ended or self._best is None or not (unfinished or trials_left):
            return
        number, best = self._best
        scale, slots = self._beliefs.effort.scale, self._context.slots
        unscored = sum(not trial.curve for trial in unfinished)
        left = Remainder(trials_left + unscored, self._context.allowance(Phase.SEARCH) * slots)

        def chance() -> float:
            estimates = [self._beliefs.estimate(trial.number) for trial in unfinished if trial.curve]
            known = [estimate for estimate in estimates if estimate is not None]
            return chance_of_better(self._beliefs.outlooks, known, scale.log_error(best.score), scale, left)

        found = Found(self._count_awaited(unfinished), self._without_gain, best.score, best.val_loss)
        decision = decide_end(found, scale, self._spec.patience, chance)
        if decision is not None:
            self._record(decision, number, trials_left + len(unfinished), left.seconds / slots)

    def _count_awaited(self, unfinished: Sequence[ActiveTrial]) -> int:
        """Enqueued trials that have not reported yet: probes, defaults, a portfolio."""
        waiting = len(self._study.get_trials(deepcopy=False, states=(TrialState.WAITING,)))
        silent = {trial.number for trial in unfinished if not trial.curve}
        begun = self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)) if silent else []
        return waiting + sum(t.number in silent and ENQUEUED_VALUES in t.system_attrs for t in begun)

    def _record(self, decision: EndDecision, best: int, trials_left: int, seconds_left: float) -> None:
        self._end = EarlyEnd(
            reason=decision.reason, chance=decision.chance, best=best, trials_left=trials_left,
            seconds_left=seconds_left if math.isfinite(seconds_left) else None,
            patience=self._spec.patience, trials=self._spec.trials, budget=self._spec.budget,
        )  # fmt: skip
        record_early_end(self._study, self._end)
        logger.info(f"search: {self._end.describe()}")
