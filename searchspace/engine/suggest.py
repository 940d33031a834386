"""Asking the study for configurations, none twice, and none that does not fit the limits."""

from typing import Protocol

import optuna
from optuna.trial import FrozenTrial, TrialState

from searchspace.engine.active_trials import Running
from searchspace.engine.assignments import search_assignment
from searchspace.engine.refusals import OVER
from searchspace.engine.seeds import derive_seed
from searchspace.optuna_compat import resume_trial
from searchspace.sampling.samplers import lag
from searchspace.sampling.space_trial import SpaceError
from searchspace.sampling.window import is_known
from searchspace.spaces import DrawError, Patience, Space, Task, draw_config
from searchspace.spec import SearchSpec
from searchspace.stopping.rules import SCHEDULERS
from searchspace.stopping.rung import rungs
from searchspace.study.trial_attributes import (
    is_cut_off,
    is_refused,
    is_revived,
    read_config,
    read_curve,
    read_seed,
    record_config,
    record_refusal,
)
from trainables.config import Assignment, TrialConfig

PATIENCE = 200
"""Refused configurations in a row after which a space is taken to hold no more."""


class Admission(Protocol):
    """Has a say on each configuration."""

    def ready(self, config: TrialConfig) -> bool:
        """Whether `refuse` answers at once; if not, it is working on it."""

    def refuse(self, trial: optuna.Trial, config: TrialConfig) -> str:
        """Why the trial's configuration is not to be trained, or an empty string."""


class Asker:
    """Draws a search's configurations, each a trial of the study."""

    def __init__(self, study: optuna.Study, space: Space, task: Task, spec: SearchSpec, gate: Admission) -> None:
        """Draw configurations for `task` from `space`, as many as `gate` lets through."""
        self._study, self._space, self._task, self._spec = study, space, task, spec
        self._gate = gate
        self._ahead: list[tuple[optuna.Trial, TrialConfig]] = []
        asked = [t for t in study.get_trials(deepcopy=False) if _is_asked(t) and not is_cut_off(t)]
        self._known = {read_config(trial): trial.number for trial in asked}
        self.asked = len(asked)

    @property
    def done(self) -> bool:
        """Whether there are no more to be asked for."""
        return self.asked >= self._spec.trials

    def is_ready(self, slots: int) -> bool:
        """Whether `ask` answers at once; it may wait all the same."""
        if not self._knows_enough(slots):
            return False
        self._ahead = self._ahead or list(filter(None, [self._draw()]))
        return not self._ahead or self._gate.ready(self._ahead[0][1])

    def _knows_enough(self, slots: int) -> bool:
        """Whether all that the sampler is to know is known; always, but for a reproducible search."""
        if not self._spec.reproducible:
            return True
        trials = self._study.get_trials(deepcopy=False)
        due = [t for t in trials if t.state != TrialState.WAITING and not is_revived(t)][: -lag(slots)]
        return all(is_known(trial, self._spec.grace_epochs) for trial in due)

    def _draw(self, trial: optuna.Trial | None = None) -> tuple[optuna.Trial, TrialConfig] | None:
        """Draw for `trial`, or a new one; a space that raises now and then costs what it raised for, and no trial.

        None where a space that gave configurations says of all others that they are impossible.
        """
        patience = Patience()
        while True:
            trial = trial or self._study.ask()
            try:
                return trial, draw_config(self._space, trial, self._task, self._spec.pins)
            except (DrawError, SpaceError) as error:
                self._refuse(trial, str(error))
                trial = None
                if not patience.give_up(error):
                    continue
                if isinstance(error, DrawError) and error.pruned and self._known:
                    return None
                raise

    def take_up(self) -> list[Running]:
        """The trials that were begun and are not over, when a search is resumed; none is asked for twice."""
        found = []
        for known in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            trial = resume_trial(self._study, known)
            if is_refused(known):
                self._study.tell(trial, state=TrialState.PRUNED)
            elif _is_asked(known):
                assignment = self._assignment(known.number, read_config(known), read_seed(known))
                audited = bool(known.user_attrs.get("audited"))
                assignment = assignment.model_copy(update={"rungs": ()}) if audited else assignment
                found.append(Running(trial, assignment, read_curve(known), audited))
            else:
                self._ahead += filter(None, [self._draw(trial)])
        return found

    def ask(self) -> Running | None:
        """The next trial; None where the space holds no more."""
        for _ in range(PATIENCE):
            drawn = self._ahead.pop(0) if self._ahead else self._draw()
            if drawn is None:
                break
            trial, config = drawn
            seed = derive_seed(self._spec.seed, "trial", trial.number)
            reason = self._reason(trial, config)
            if not reason:
                record_config(trial, config, seed)
                self._known[config] = trial.number
                self.asked += 1
                return Running(trial, self._assignment(trial.number, config, seed))
            self._refuse(trial, reason)
        self.asked = self._spec.trials
        return None

    def close(self) -> None:
        """No more will be asked for; what was drawn ahead is not trained."""
        while self._ahead:
            self._refuse(self._ahead.pop()[0], OVER)

    def _refuse(self, trial: optuna.Trial, reason: str) -> None:
        record_refusal(trial, reason)
        self._study.tell(trial, state=TrialState.PRUNED)

    def _reason(self, trial: optuna.Trial, config: TrialConfig) -> str:
        if config in self._known:
            return f"the same configuration as trial {self._known[config]}"
        return self._gate.refuse(trial, config)

    def _assignment(self, number: int, config: TrialConfig, seed: int) -> Assignment:
        spec = self._spec
        pauses = SCHEDULERS[spec.scheduler].uses_rungs
        epochs = rungs(spec.grace_epochs, spec.reduction_factor, spec.max_epochs) if pauses else ()
        return search_assignment(spec, number, config, seed, epochs)


def _is_asked(trial: FrozenTrial) -> bool:
    """Whether a recorded trial is one of the search's own, to be trained or trained."""
    return "config" in trial.user_attrs and not is_refused(trial) and not is_revived(trial)
