"""Transfer of trials between search spaces: what a trial of one space is in another, parameter by parameter.

For that the other space draws it, and gets each value that it can take. So its conditions hold, too.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import RandomSampler
from optuna.trial import FrozenTrial

from searchspace.study.trial_attributes import read_config
from trainables.common.errors import UserError
from trainables.config import TrialConfig
from trainables.models.model_registry import learning_kind

Draw = Callable[[optuna.Trial], TrialConfig]
"""Draws a configuration from a search's space, its pins held; raises `UserError` where the space raises."""


@dataclass(frozen=True)
class Transfer:
    """What became of known values in another space."""

    config: TrialConfig
    """A configuration of that space that has them, and random values for all others."""
    distributions: dict[str, BaseDistribution]
    """Of each parameter that the space asked for."""
    kept: dict[str, Any] = field(default_factory=dict)
    """The values that the space takes, by parameter."""
    left_out: dict[str, Any] = field(default_factory=dict)
    """Values that it asked for and cannot take."""


class KnownValueSampler(RandomSampler):
    """Gives a trial known values where they fit, and random ones where none is known or fits."""

    def __init__(self, values: Mapping[str, Any], clip: bool) -> None:
        """Transfer `values`; a number outside its range becomes the nearest bound if `clip`."""
        super().__init__(seed=0)
        self._values, self._clip = values, clip

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """The known value, or a random one."""
        if param_name in self._values:
            try:
                return fit_value(self._values[param_name], param_distribution, self._clip)
            except ValueError:
                pass
        return super().sample_independent(study, trial, param_name, param_distribution)


def fit_value(value: Any, distribution: BaseDistribution, clip: bool = False) -> Any:
    """The value as a distribution takes it: 1, 1.0 and True are three choices, and 1 and 1.0 one number.

    A number outside the range becomes its nearest bound if `clip`. Raises ValueError for what is not taken.
    """
    if isinstance(distribution, CategoricalDistribution):
        for choice in distribution.choices:
            if type(choice) is type(value) and choice == value:
                return choice
    elif isinstance(distribution, FloatDistribution | IntDistribution) and type(value) in {int, float}:
        number = min(max(value, distribution.low), distribution.high) if clip else value
        steps = (number - distribution.low) / distribution.step if distribution.step else 0.0
        if distribution.low <= number <= distribution.high and abs(steps - round(steps)) < 1e-8:
            return int(number) if isinstance(distribution, IntDistribution) else float(number)
    raise ValueError(f"{value!r} is not of {distribution}")


def transfer_values(values: Mapping[str, Any], draw: Draw, clip: bool = False) -> Transfer | None:
    """What `values` are in the space that `draw` draws from; None where the space raises."""
    study = optuna.create_study(sampler=KnownValueSampler(values, clip))
    trial = study.ask()
    try:
        found = Transfer(draw(trial), trial.distributions)
    except UserError:
        return None
    for name in [name for name in found.distributions if name in values]:
        try:
            found.kept[name] = fit_value(values[name], found.distributions[name], clip)
        except ValueError:
            found.left_out[name] = values[name]
    return found


def same_network(config: TrialConfig, other: TrialConfig) -> bool:
    """Whether two configurations are of one architecture, trained in one way."""
    return (config.model, learning_kind(config)) == (other.model, learning_kind(other))


def known_values(trial: FrozenTrial) -> dict[str, Any]:
    """All that is known of a trial by name: its parameters, and what its space left out or its search pinned."""
    return read_config(trial).hyperparameters | trial.params


def transfer_trials(trials: Sequence[FrozenTrial], draw: Draw, whole: bool) -> list[FrozenTrial]:
    """Trials as they are in this search's space: with those parameters alone whose values it takes.

    Trials of networks that this space has not are left out, and so are those that lack a parameter if `whole`.
    """
    moved = (_transferred(trial, draw, whole) for trial in trials)
    return [trial for trial in moved if trial is not None]


def share_choices(trials: Sequence[FrozenTrial], own: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Transferred trials without parameters that `own` trials, of a search that was begun before, have otherwise.

    A study keeps the choices of its first trials; the space may have others since.
    """
    known = {name: each for trial in own for name, each in trial.distributions.items()} if trials else {}
    return [_without(trial, known) for trial in trials]


def _without(trial: FrozenTrial, known: Mapping[str, BaseDistribution]) -> FrozenTrial:
    differ = {
        name for name, each in trial.distributions.items()
        if name in known and isinstance(each, CategoricalDistribution) and each != known[name]
    }  # fmt: skip
    return _with_parameters(trial, {n: v for n, v in trial.params.items() if n not in differ}, trial.distributions)


def _with_parameters(
    trial: FrozenTrial, values: dict[str, Any], distributions: Mapping[str, BaseDistribution]
) -> FrozenTrial:
    shown = copy(trial)
    shown.params, shown.distributions = values, {name: distributions[name] for name in values}
    return shown


def _transferred(trial: FrozenTrial, draw: Draw, whole: bool) -> FrozenTrial | None:
    config, found = read_config(trial), transfer_values(known_values(trial), draw)
    if found is None or not same_network(config, found.config):
        return None
    taken = {name: value for name, value in found.kept.items() if _means_the_same(name, config, found.config)}
    if not taken or (whole and taken.keys() != found.distributions.keys()):
        return None
    return _with_parameters(trial, taken, found.distributions)


def _means_the_same(name: str, config: TrialConfig, other: TrialConfig) -> bool:
    """Whether a parameter called as a hyperparameter led to the same value of that in both spaces."""
    here, there = config.hyperparameters, other.hyperparameters
    return name not in here or here[name] == there.get(name)


@dataclass(frozen=True)
class FirstTrials:
    """Configurations of another space as this one can try them."""

    values: list[dict[str, Any]]
    """Parameters of each; those that are missing are drawn."""
    changes: str
    """What was left out or set to a bound, in words; empty if nothing was."""


def transfer_configs(configs: Iterable[Mapping[str, Any]], draw: Draw) -> FirstTrials:
    """The parameters of `configs` that this search's space takes; numbers outside a range become its bounds.

    Configurations of networks that this space has not are left out. Each has all hyperparameters of a `TrialConfig`.
    """
    values: list[dict[str, Any]] = []
    changes: list[str] = []
    others = 0
    for config in configs:
        found = transfer_values(config, draw, clip=True)
        known = TrialConfig.model_validate({name: config[name] for name in TrialConfig().hyperparameters})
        if found is None or not same_network(known, found.config):
            others += 1
            continue
        values.append(found.kept)
        changes += _describe_changes(config, found)
    networks = [f"{others} of networks that are not searched here"] if others else []
    return FirstTrials(values, ", ".join([*networks, *dict.fromkeys(changes)]))


def _describe_changes(config: Mapping[str, Any], found: Transfer) -> Iterator[str]:
    """What of `config` is not tried as it was; that pinned values are others is no news."""
    for name, value in found.left_out.items():
        if not found.distributions[name].single():
            yield f"{name} {value} left out"
    for name, value in found.kept.items():
        if value != config[name]:
            yield f"{name} {config[name]:g} set to {value:g}"
