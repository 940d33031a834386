"""How each sampler of `SAMPLERS` is made by Optuna, and what it sees of the study."""

import warnings
from collections.abc import Sequence

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from searchspace.finals.baseline import TRIAL_ORIGIN
from searchspace.sampling.cmaes_state import PlainCmaEsSampler
from searchspace.sampling.cost_weighting import cooling_cost_weight, random_cost_weight, weight_by_cost
from searchspace.sampling.sampler_registry import SAMPLERS, SamplerName
from searchspace.sampling.shown_values import show_objective_values, show_one_fidelity
from searchspace.sampling.transfer import share_choices
from searchspace.sampling.window import (
    TrialSelector,
    WindowedSampler,
    choose_window,
    mark_paused_and_refused,
    show_first_rungs,
)
from searchspace.spec import SearchSpec
from searchspace.stopping.rung import rungs
from searchspace.study.trial_attributes import read_epoch_seconds, read_latency

STARTUP_TRIALS = 10
"""Random trials before a model is used; many more than 10 make a search worse. Trials that were enqueued are none."""
MANY_TRIALS = 250
"""Trials from which on an evolution strategy beats a Gaussian process."""


def make_tpe(seed: int, startup: int = STARTUP_TRIALS) -> BaseSampler:
    """Multivariate and grouped, for conditional spaces; with a constant liar, for several trials at a time."""
    return optuna.samplers.TPESampler(
        n_startup_trials=startup, multivariate=True, group=True, constant_liar=True, seed=seed
    )


def make_gp(seed: int, startup: int = STARTUP_TRIALS) -> BaseSampler:
    """Random draws first; TPE where a parameter is not in every configuration."""
    return optuna.samplers.GPSampler(
        seed=seed, n_startup_trials=startup, independent_sampler=make_tpe(seed, startup), deterministic_objective=False
    )


def make_cmaes(seed: int, startup: int = STARTUP_TRIALS) -> BaseSampler:
    """Random draws first; TPE for what is no number."""
    return PlainCmaEsSampler(
        seed=seed,
        n_startup_trials=startup,
        independent_sampler=make_tpe(seed, startup),
        warn_independent_sampling=False,
    )


def make_random(seed: int, startup: int = STARTUP_TRIALS) -> BaseSampler:  # noqa: ARG001  # as the others
    """Independent draws."""
    return optuna.samplers.RandomSampler(seed=seed)


def choose_sampler(drawn: Sequence[dict[str, BaseDistribution]], trials: int) -> SamplerName:
    """The sampler that `auto` means, for a space of which some draws are given by their parameters' distributions.

    Optuna's own AutoSampler's rule: TPE for conditional spaces and for choices, else a Gaussian process for few
    trials and CMA-ES for many.
    """
    conditional = any(draw.keys() != drawn[0].keys() for draw in drawn)
    choices = any(isinstance(d, CategoricalDistribution) and len(d.choices) > 1 for d in drawn[0].values())
    if conditional or choices:
        return "tpe"
    return "gp" if trials <= MANY_TRIALS else "cmaes"


def make_sampler(
    spec: SearchSpec, name: SamplerName, earlier: Sequence[FrozenTrial] = (), slots: int = 1
) -> BaseSampler:
    """The sampler of a search on `slots` slots, which sees `earlier` trials of other searches besides its own."""
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    sampler = SAMPLERS[name]

    def make(seed: int, shown: Sequence[FrozenTrial]) -> BaseSampler:
        return sampler.make(seed, STARTUP_TRIALS + count_enqueued(shown))

    return WindowedSampler(make, spec.seed, make_view(spec, sampler.full_length_only, earlier, slots))


def count_enqueued(trials: Sequence[FrozenTrial]) -> int:
    """Ended trials that were not drawn: defaults, probes, and the best of earlier searches.

    They inform a model. But they are no sample of the space: a model of them alone would know only good places.
    """
    return sum(TRIAL_ORIGIN in t.user_attrs and t.state in {TrialState.COMPLETE, TrialState.PRUNED} for t in trials)


def count_hidden_trials(slots: int) -> int:
    """How many of the newest trials the sampler of a reproducible search does not see, as they may be in training."""
    return 2 * slots


def make_view(spec: SearchSpec, full_length_only: bool, earlier: Sequence[FrozenTrial], slots: int) -> TrialSelector:
    """The view of the study that a sampler has in this search."""
    epochs = (*rungs(spec.grace_epochs, spec.reduction_factor, spec.max_epochs), spec.max_epochs)

    def view(trials: list[FrozenTrial], number: int) -> list[FrozenTrial]:
        own = (
            show_first_rungs(trials, number - count_hidden_trials(slots), spec.grace_epochs)
            if spec.reproducible
            else mark_paused_and_refused(trials)
        )
        shown = show_objective_values(choose_window([*share_choices(earlier, own), *own]))
        shown = show_one_fidelity(shown, epochs) if full_length_only else shown
        if "latency" in spec.objectives:
            return weight_by_cost(shown, read_latency, random_cost_weight(spec.seed, number))
        if spec.budget_unit == "seconds":
            return weight_by_cost(shown, read_epoch_seconds, cooling_cost_weight(number, spec.trials))
        return shown

    return view
