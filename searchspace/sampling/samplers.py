"""The samplers by name, all Optuna's, each on its view of the study: one line here adds one."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial

from searchspace.sampling.cmaes_state import PlainCmaEsSampler
from searchspace.sampling.cost_weighting import cooling_weight, random_weight, weigh
from searchspace.sampling.window import (
    View,
    WindowedSampler,
    as_asked,
    at_one_fidelity,
    choose_window,
    settle,
)
from searchspace.spec import SamplerName, SearchSpec
from searchspace.stopping.rung import rungs
from searchspace.study.trial_attributes import read_epoch_seconds, read_latency

STARTUP_TRIALS = 10
"""Random trials before a model; far more than 10 hurts."""
MANY_TRIALS = 250
"""Trials from which on an evolution strategy beats a Gaussian process."""


@dataclass(frozen=True)
class Sampler:
    """A sampler known by name."""

    summary: str
    """One line for `--help` and the README."""
    make: Callable[[int], BaseSampler]
    """Seed -> Optuna's sampler."""
    full_length_only: bool = False
    """Whether it models full-length values only, so that it is shown one fidelity as if it were that."""


def _tpe(seed: int) -> BaseSampler:
    """Multivariate, grouped, with a constant liar: conditional spaces, several trials at a time."""
    return optuna.samplers.TPESampler(
        n_startup_trials=STARTUP_TRIALS, multivariate=True, group=True, constant_liar=True, seed=seed
    )


def _gp(seed: int) -> BaseSampler:
    return optuna.samplers.GPSampler(
        seed=seed, n_startup_trials=STARTUP_TRIALS, independent_sampler=_tpe(seed), deterministic_objective=False
    )


def _cmaes(seed: int) -> BaseSampler:
    return PlainCmaEsSampler(
        seed=seed, n_startup_trials=STARTUP_TRIALS, independent_sampler=_tpe(seed), warn_independent_sampling=False
    )


SAMPLERS: dict[str, Sampler] = {
    "tpe": Sampler("Parzen estimators (NeurIPS 2011): any space, conditional ones too", _tpe),
    "gp": Sampler("a Gaussian process: few parameters, few trials, seconds a suggestion", _gp, full_length_only=True),
    "cmaes": Sampler("CMA-ES (arXiv:1604.00772): many trials of numeric parameters", _cmaes, full_length_only=True),
    "random": Sampler("random: nothing learnt", lambda seed: optuna.samplers.RandomSampler(seed=seed)),
}


def suiting(drawn: Sequence[dict[str, BaseDistribution]], trials: int) -> SamplerName:
    """What `auto` takes for a space of which some draws are given, by their parameters' distributions.

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
    """The sampler of a search on so many slots, shown `earlier` trials of other searches besides the study's own."""
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    sampler = SAMPLERS[name]
    return WindowedSampler(sampler.make, spec.seed, make_view(spec, sampler.full_length_only, earlier, slots))


def lag(slots: int) -> int:
    """How many of the newest trials a reproducible search's sampler does not see, as some of them are being trained."""
    return 2 * slots


def make_view(spec: SearchSpec, full_length_only: bool, earlier: Sequence[FrozenTrial], slots: int) -> View:
    """What a sampler is shown in this search."""
    epochs = (*rungs(spec.grace_epochs, spec.reduction_factor, spec.max_epochs), spec.max_epochs)

    def view(trials: list[FrozenTrial], number: int) -> list[FrozenTrial]:
        own = as_asked(trials, number - lag(slots), spec.grace_epochs) if spec.reproducible else settle(trials)
        shown = choose_window([*earlier, *own])
        shown = at_one_fidelity(shown, epochs) if full_length_only else shown
        if "latency" in spec.objectives:
            return weigh(shown, read_latency, random_weight(spec.seed, number))
        if spec.budget_unit == "seconds":
            return weigh(shown, read_epoch_seconds, cooling_weight(number, spec.trials))
        return shown

    return view
