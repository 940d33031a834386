"""Private parts of Optuna that this package uses; no other module of it names any.

`test_optuna_compat.py` names the part that a release of Optuna has changed.
"""

from collections.abc import Callable, Container
from typing import TYPE_CHECKING, Any, TypeVar

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import CmaEsSampler
from optuna.storages import RDBStorage
from optuna.storages.journal import BaseJournalBackend
from optuna.trial import FrozenTrial, TrialState

if TYPE_CHECKING:
    from cmaes import CMA

T = TypeVar("T")


def journal_backend(study: optuna.Study) -> BaseJournalBackend | None:
    """The backend of a study's journal; None where the study is in a database."""
    backend = getattr(study._storage, "_backend", None)
    return backend if isinstance(backend, BaseJournalBackend) else None


def resume_trial(study: optuna.Study, known: FrozenTrial) -> optuna.Trial:
    """A trial of `study` that is not over, to be told more."""
    return optuna.Trial(study, known._trial_id)


class StudyView:
    """A study of which a sampler sees only some trials; all else is the study's own."""

    def __init__(self, study: optuna.Study, shown: list[FrozenTrial]) -> None:
        """Show these trials of `study`."""
        self._study, self._trials = study, shown

    def get_trials(self, deepcopy: bool = True, states: Any = None) -> list[FrozenTrial]:  # noqa: ARG002  # Optuna's signature
        """Those of the shown trials that are in one of `states`, if any are given."""
        return [trial for trial in self._trials if states is None or trial.state in states]

    def _get_trials(self, deepcopy: bool = True, states: Any = None, use_cache: bool = False) -> list[FrozenTrial]:  # noqa: ARG002  # Optuna's signature
        return self.get_trials(deepcopy, states)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._study, name)


class StateReadingCmaEsSampler(CmaEsSampler):
    """Optuna's CMA-ES, whose state in the study is read by `read_state`, not by `pickle.loads`."""

    def read_state(self, text: str) -> "CMA":
        """The state that hexadecimal digits hold."""
        raise NotImplementedError

    def _restore_optimizer(self, completed_trials: list[FrozenTrial]) -> "CMA | None":
        for trial in reversed(completed_trials):
            parts = {key: text for key, text in trial.system_attrs.items() if key.startswith(self._attr_key_optimizer)}
            if parts:
                return self.read_state(self._concat_optimizer_attrs(parts))
        return None


class HookedStorage(RDBStorage):
    """A database storage whose private operations, which Optuna's cache calls, go through `attempt`."""

    _newest_id = -1
    """The largest of Optuna's own trial numbers that is known; -1 before any trial was read."""

    def attempt(self, do: Callable[[], T], find: Callable[[], T | None] = lambda: None) -> T:
        """Do an operation; `find` returns the result of an earlier try that was cut off, None if there is none."""
        raise NotImplementedError

    def _get_best_trial_id(self, study_id: int, direction: Any) -> int:
        return self.attempt(lambda: super(HookedStorage, self)._get_best_trial_id(study_id, direction))

    def _get_trials(
        self, study_id: int, states: Container[TrialState] | None, included_trial_ids: set[int],
        trial_id_greater_than: int,
    ) -> list[FrozenTrial]:  # fmt: skip
        own = super()._get_trials
        trials = self.attempt(lambda: own(study_id, states, included_trial_ids, trial_id_greater_than))
        self._newest_id = max([self._newest_id, *(trial._trial_id for trial in trials)])
        return trials

    def _create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> FrozenTrial:
        if self._newest_id < 0:
            self._get_trials(study_id, None, set(), -1)
        known, own = self._newest_id, super()._create_new_trial

        def find() -> FrozenTrial | None:
            newer = super(HookedStorage, self)._get_trials(study_id, None, set(), known)
            return newer[-1] if newer else None

        created = self.attempt(lambda: own(study_id, template_trial), find)
        self._newest_id = max(self._newest_id, created._trial_id)
        return created

    def _set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution,
        previous_distribution: BaseDistribution | None,
    ) -> None:  # fmt: skip
        own = super()._set_trial_param
        self.attempt(lambda: own(trial_id, param_name, param_value_internal, distribution, previous_distribution))
