"""The sampler: Optuna's TPE (NeurIPS 2011) over a window of the study, so that its time a suggestion stays bounded."""

import warnings
from typing import Any, cast

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, TrialState

STARTUP_TRIALS = 10
"""Random trials before TPE; far more than 10 hurts."""
BEST, NEWEST = 64, 128
"""Finished trials that TPE sees: the best, among which are all that it models as good, and the newest others."""


def make_sampler(seed: int) -> TPESampler:
    """Multivariate, grouped TPE with a constant liar: conditional spaces, several trials at a time."""
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    return WindowedTPESampler(
        n_startup_trials=STARTUP_TRIALS, multivariate=True, group=True, constant_liar=True, seed=seed
    )


class WindowedTPESampler(TPESampler):
    """TPE that models the trials in a `Window`; the same as TPE until a study outgrows it."""

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """TPE's own, on the window."""
        return super().infer_relative_search_space(self._window(study, trial), trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """TPE's own, on the window."""
        return super().sample_relative(self._window(study, trial), trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """TPE's own, on the window."""
        return super().sample_independent(self._window(study, trial), trial, param_name, param_distribution)

    def _window(self, study: optuna.Study, trial: FrozenTrial) -> optuna.Study:
        """One window for all that is sampled for one trial."""
        known: tuple[int, Window] | None = getattr(self, "_newest_window", None)
        if known is None or known[0] != trial.number:
            known = (trial.number, Window(study))
            self._newest_window = known
        return cast(optuna.Study, known[1])


class Window:
    """A study that knows only some of its finished trials."""

    def __init__(self, study: optuna.Study) -> None:
        """Look at `study` once."""
        self._study = study
        self._trials = choose_window(study.get_trials(deepcopy=False))

    def get_trials(self, deepcopy: bool = True, states: Any = None) -> list[FrozenTrial]:  # noqa: ARG002  # Optuna's signature
        """Trials of the window in these states."""
        return [trial for trial in self._trials if states is None or trial.state in states]

    def _get_trials(self, deepcopy: bool = True, states: Any = None, use_cache: bool = False) -> list[FrozenTrial]:  # noqa: ARG002  # Optuna's signature
        return self.get_trials(deepcopy, states)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._study, name)


def choose_window(trials: list[FrozenTrial]) -> list[FrozenTrial]:
    """All that run, the `BEST` finished ones and the `NEWEST` of the others, in the order they began."""
    able = [t for t in trials if t.state in {TrialState.COMPLETE, TrialState.PRUNED}]
    if len(able) <= BEST + NEWEST:
        return trials
    best = sorted(able, key=_merit, reverse=True)[:BEST]
    chosen = {t.number for t in best}
    chosen |= set([t.number for t in able if t.number not in chosen][-NEWEST:])
    return [t for t in trials if t.number in chosen or t.state == TrialState.RUNNING]


def _merit(trial: FrozenTrial) -> tuple[bool, int, float]:
    """TPE's own order: full-length trials by value, then stopped ones by how far they came and their score there."""
    if trial.state == TrialState.COMPLETE:
        return True, 0, trial.value or 0.0
    step = trial.last_step
    return False, -1 if step is None else step, 0.0 if step is None else trial.intermediate_values[step]
