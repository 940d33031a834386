"""Asking the study for configurations, none twice, and none that does not fit the limits."""

from typing import Protocol

import optuna
from optuna.trial import TrialState

from searchspace.running import Running
from searchspace.sampling.samplers import lag
from searchspace.sampling.window import is_known
from searchspace.seeds import derive_seed
from searchspace.spaces import Space, Task, draw_config
from searchspace.spec import SearchSpec
from searchspace.stopping.registry import SCHEDULERS
from searchspace.stopping.rung import rungs
from searchspace.study import record_config, record_refusal
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
        self._ahead: tuple[optuna.Trial, TrialConfig] | None = None
        self._known: dict[TrialConfig, int] = {}
        self.asked = 0

    @property
    def done(self) -> bool:
        """Whether there are no more to be asked for."""
        return self.asked >= self._spec.trials

    def is_ready(self, slots: int) -> bool:
        """Whether `ask` answers at once; it may wait all the same."""
        if not self._knows_enough(slots):
            return False
        self._ahead = self._ahead or self._draw()
        return self._gate.ready(self._ahead[1])

    def _knows_enough(self, slots: int) -> bool:
        """Whether all that the sampler is to know is known; always, but for a reproducible search."""
        if not self._spec.reproducible:
            return True
        trials = self._study.get_trials(deepcopy=False)
        due = [t for t in trials if t.state != TrialState.WAITING][: -lag(slots)]
        return all(is_known(trial, self._spec.grace_epochs) for trial in due)

    def _draw(self) -> tuple[optuna.Trial, TrialConfig]:
        trial = self._study.ask()
        return trial, draw_config(self._space, trial, self._task, self._spec.pins)

    def ask(self) -> Running | None:
        """The next trial; None where the space holds no more."""
        for _ in range(PATIENCE):
            trial, config = self._ahead or self._draw()
            self._ahead = None
            seed = derive_seed(self._spec.seed, "trial", trial.number)
            record_config(trial, config, seed)
            reason = self._reason(trial, config)
            if not reason:
                self._known[config] = trial.number
                self.asked += 1
                return Running(trial, self._assignment(trial.number, config, seed))
            record_refusal(trial, reason)
            self._study.tell(trial, state=TrialState.PRUNED)
        self.asked = self._spec.trials
        return None

    def close(self) -> None:
        """No more will be asked for; what was drawn ahead is not trained."""
        if self._ahead is not None:
            record_refusal(self._ahead[0], "the search was over")
            self._study.tell(self._ahead[0], state=TrialState.PRUNED)
            self._ahead = None

    def _reason(self, trial: optuna.Trial, config: TrialConfig) -> str:
        if config in self._known:
            return f"the same configuration as trial {self._known[config]}"
        return self._gate.refuse(trial, config)

    def _assignment(self, number: int, config: TrialConfig, seed: int) -> Assignment:
        spec = self._spec
        name = f"trial-{number}"
        waits = SCHEDULERS[spec.scheduler].waits
        return Assignment(
            trial=name, kind="search", config=config, seed=seed, max_epochs=spec.max_epochs,
            rungs=rungs(spec.grace_epochs, spec.reduction_factor, spec.max_epochs) if waits else (),
            folder=str(spec.folder / "trials" / name),
        )  # fmt: skip
