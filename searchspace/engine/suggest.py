"""Suggests configurations: the study draws them; duplicates and those outside the constraints are not trained."""

from collections.abc import Callable
from typing import Protocol

import optuna
from optuna.trial import FrozenTrial, TrialState

from searchspace.engine.active_trials import ActiveTrial
from searchspace.engine.assignments import derive_seed, search_assignment
from searchspace.engine.family_chooser import FamilyChooser, make_family_chooser
from searchspace.optuna_compat import resume_trial
from searchspace.sampling.samplers import count_hidden_trials
from searchspace.sampling.space_trial import SpaceError
from searchspace.sampling.window import WindowedSampler, is_first_rung_known
from searchspace.spaces import DrawError, DrawErrorCounter, Space, Task, draw_config
from searchspace.spec import SearchSpec
from searchspace.stopping.rules import pausing_epochs
from searchspace.study.refusals import Refusal, RefusalReason, is_refused, record_refusal
from searchspace.study.trial_attributes import (
    is_cut_off,
    is_paused,
    is_revived,
    read_config,
    read_curve,
    read_seed,
    record_config,
)
from trainables.config import TrialConfig

MAX_REFUSALS = 200
"""Refused configurations in a row after which the space counts as exhausted."""
MAX_LATE = 8
"""Configurations drawn in a row that would not report in time, after which none is drawn."""
SURPLUS = Refusal(reason=RefusalReason.SURPLUS, text="the search was over")
"""Of a configuration that was drawn ahead, and is not needed."""


class Admission(Protocol):
    """Decides on each configuration before it is trained."""

    def ready(self, config: TrialConfig) -> bool:
        """Whether `refuse` answers at once; if not, what it needs is being measured."""

    def refuse(self, trial: optuna.Trial, config: TrialConfig) -> Refusal | None:
        """Why the trial's configuration is not trained; None if it may be."""


class ConfigSuggester:
    """Draws a search's configurations, each a trial of the study."""

    def __init__(
        self, study: optuna.Study, space: Space, task: Task, spec: SearchSpec, admission: Admission,
        families: FamilyChooser | None = None,
    ) -> None:  # fmt: skip
        """Draw configurations for `task` from `space` until `spec.trials` are admitted, from those `families` that pay.

        Without them, all families are drawn from that have configurations left.
        """
        self._study, self._space, self._task, self._spec = study, space, task, spec
        self._admission = admission
        self._families = families or make_family_chooser(spec, space, task, study.get_trials(deepcopy=False))
        self._rungs = pausing_epochs(spec.scheduler, spec.grace_epochs, spec.reduction_factor, spec.max_epochs)
        self._ahead: list[tuple[optuna.Trial, TrialConfig]] = []
        begun = [t for t in study.get_trials(deepcopy=False) if _is_admitted(t) and not is_cut_off(t)]
        self._known = {read_config(trial): trial.number for trial in begun}
        self.suggested = len(begun)
        """Trials that were suggested, in earlier parts of the search too."""

    @property
    def is_done(self) -> bool:
        """Whether there are no more trials to suggest."""
        return self.suggested >= self._spec.trials

    def is_ready(self, slots: int) -> bool:
        """Whether `next_trial` returns at once, and with all that the sampler of a reproducible search has to know."""
        if not self._sampler_is_informed(slots):
            return False
        self._ahead = self._ahead or list(filter(None, [self._draw()]))
        return not self._ahead or self._admission.ready(self._ahead[0][1])

    def _sampler_is_informed(self, slots: int) -> bool:
        if not self._spec.reproducible:
            return True
        trials = self._study.get_trials(deepcopy=False)
        due = [t for t in trials if t.state != TrialState.WAITING and not is_revived(t)][: -count_hidden_trials(slots)]
        return all(is_first_rung_known(trial, self._spec.grace_epochs) for trial in due)

    def _draw(self, trial: optuna.Trial | None = None) -> tuple[optuna.Trial, TrialConfig] | None:
        """Draw for `trial`, or for a new one; a draw for which the space raises is refused, and another is made.

        None where a space that gave configurations before says of all others that they are impossible.
        """
        patience = DrawErrorCounter()
        while True:
            trial = trial or self._ask()
            try:
                return trial, draw_config(self._space, trial, self._task, self._spec.pins)
            except (DrawError, SpaceError) as error:
                self._refuse(trial, Refusal(reason=RefusalReason.SPACE, text=str(error)))
                trial = None
                if not patience.add(error):
                    continue
                if isinstance(error, DrawError) and error.pruned and self._known:
                    return None
                raise

    def _ask(self) -> optuna.Trial:
        """A new trial of the study, in the family that is due; an enqueued one has its own."""
        self._choose_family(len(self._study.get_trials(deepcopy=False)))
        return self._study.ask()

    def _choose_family(self, number: int) -> None:
        sampler = self._study.sampler
        if self._families is not None and isinstance(sampler, WindowedSampler):
            sampler.fix(self._families.choose(number))

    def restore(self) -> list[ActiveTrial]:
        """The trials that were begun and are not over, when a search is resumed; none is suggested twice."""
        found = []
        for known in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            self._choose_family(known.number)
            trial = resume_trial(self._study, known)
            if is_refused(known):
                self._study.tell(trial, state=TrialState.PRUNED)
            elif _is_admitted(known):
                found.append(self._restored(trial, known))
            else:
                self._ahead += filter(None, [self._draw(trial)])
        return found

    def _restored(self, trial: optuna.Trial, known: FrozenTrial) -> ActiveTrial:
        assignment = search_assignment(self._spec, known.number, read_config(known), read_seed(known), self._rungs)
        restored = ActiveTrial(trial, assignment, read_curve(known), waits=is_paused(known))
        if known.user_attrs.get("audited"):
            restored.audit()
        return restored

    def next_trial(self, has_time: Callable[[TrialConfig], bool] = lambda _config: True) -> ActiveTrial | None:
        """The next trial; None where the space holds no more, or there is no time for `MAX_LATE` drawn in a row."""
        late = 0
        for _ in range(MAX_REFUSALS):
            drawn = self._ahead.pop(0) if self._ahead else self._draw()
            if drawn is None:
                break
            trial, config = drawn
            refusal = self._check(trial, config)
            if refusal is None and not has_time(config):
                late += 1
                if late == MAX_LATE:
                    self._ahead.append(drawn)
                    return None
                refusal = SURPLUS
            if refusal is None:
                return self._admit(trial, config)
            if self._families is not None:
                self._families.refuse(config)
            self._refuse(trial, refusal)
        self.suggested = self._spec.trials
        return None

    def close(self) -> None:
        """End the suggestions; configurations that were drawn ahead are not trained."""
        while self._ahead:
            self._refuse(self._ahead.pop()[0], SURPLUS)

    def _admit(self, trial: optuna.Trial, config: TrialConfig) -> ActiveTrial:
        seed = derive_seed(self._spec.seed, "trial", trial.number)
        record_config(trial, config, seed)
        self._known[config] = trial.number
        self.suggested += 1
        if self._families is not None:
            self._families.hear(trial.number, config, ())
        return ActiveTrial(trial, search_assignment(self._spec, trial.number, config, seed, self._rungs))

    def _refuse(self, trial: optuna.Trial, refusal: Refusal) -> None:
        record_refusal(trial, refusal)
        self._study.tell(trial, state=TrialState.PRUNED)

    def _check(self, trial: optuna.Trial, config: TrialConfig) -> Refusal | None:
        if config in self._known:
            text = f"the same configuration as trial {self._known[config]}"
            return Refusal(reason=RefusalReason.DUPLICATE, text=text)
        return self._admission.refuse(trial, config)


def _is_admitted(trial: FrozenTrial) -> bool:
    """Whether a recorded trial is one of the search's own, trained or to be trained."""
    return "config" in trial.user_attrs and not is_refused(trial) and not is_revived(trial)
