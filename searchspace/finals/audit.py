"""The stop audit: a random share of the stopped trials is resumed, to measure what early stopping cost."""

import math
from collections.abc import Collection, Sequence

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from searchspace.engine.assignments import derive_seed
from searchspace.study.trial_attributes import read_standing
from trainables.config import Frozen


class AuditReport(Frozen):
    """Result of a search's audit; scores are of full-length trials."""

    stopped: int
    """Trials that early stopping stopped."""
    audited: int
    """Those of them that were trained on to the full length."""
    best_audited: float
    """Best score of those."""
    best: float
    """Best score of the trials that were not stopped."""
    better: int
    """Audited trials that reached more than that."""

    def describe(self) -> str:
        """One line: what early stopping cost."""
        cost = (
            f"{self.better} of them would have been the best: early stopping cost {self.best_audited - self.best:.4f}"
            if self.better
            else "none would have been the best: early stopping cost nothing that they show"
        )
        # No hit in n draws leaves, at 95 %, a share of at most 3 / n (the rule of three).
        bound = (
            ""
            if self.better or self.audited <= 3
            else f" (95 %, rule of three: at most {3 / self.audited:.0%} of them all would)"
        )
        return (
            f"audit: {self.audited} of {self.stopped} stopped trials were trained to the end, the best to "
            f"{self.best_audited:.4f}, the search's own to {self.best:.4f}; {cost}{bound}"
        )


def choose_audited(study: optuna.Study, stopped: Collection[int], share: float, seed: int) -> list[int]:
    """Those of the stopped trials' numbers that are to be audited and are not yet."""
    done = [trial.number for trial in study.get_trials(deepcopy=False) if trial.user_attrs.get("audited")]
    return [number for number in _draw_audited([*stopped, *done], share, seed) if number not in done]


def _draw_audited(stopped: Sequence[int], share: float, seed: int) -> list[int]:
    """A random `share` of the stopped trials' numbers, sorted; at least one unless there are none or the share is 0."""
    if not share or not stopped:
        return []
    count = max(1, round(share * len(stopped)))
    drawn = np.random.default_rng(derive_seed(seed, "audit")).choice(sorted(stopped), count, replace=False)
    return sorted(int(number) for number in drawn)


def read_audit(study: optuna.Study) -> AuditReport | None:
    """The audit of a search; None where no trial was audited."""
    trials = study.get_trials(deepcopy=False)
    stopped = [trial for trial in trials if read_standing(trial)]
    audited = [trial for trial in stopped if trial.state == TrialState.COMPLETE]
    if not audited:
        return None
    best = max((_value(t) for t in trials if t.state == TrialState.COMPLETE and t not in audited), default=-math.inf)
    return AuditReport(
        stopped=len(stopped), audited=len(audited), best_audited=max(map(_value, audited)), best=best,
        better=sum(_value(trial) > best for trial in audited),
    )  # fmt: skip


def _value(trial: FrozenTrial) -> float:
    return trial.value if trial.value is not None else 0.0
