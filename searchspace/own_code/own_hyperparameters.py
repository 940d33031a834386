"""Hyperparameters of parts of the user's own, in spaces and configurations, where they stand beside built-in ones."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trainables.augmentation.augmentation_registry import own_augmentations
from trainables.config import TrialConfig
from trainables.custom.ranges import Choice, Float, Int
from trainables.models.model_registry import MODELS, OwnModel

if TYPE_CHECKING:
    import optuna

Ranges = Mapping[str, Choice | Int | Float]


def own_hyperparameters(model: str) -> Ranges:
    """Ranges of a model's own hyperparameters, by name; none of one that is built in."""
    entry = MODELS.get(model)
    return entry.own if isinstance(entry, OwnModel) else {}


def own_defaults(model: str) -> dict[str, Any]:
    """Their values in the model's first trial."""
    entry = MODELS.get(model)
    return dict(entry.own_defaults) if isinstance(entry, OwnModel) else {}


def own_names() -> set[str]:
    """Names of the own hyperparameters of all parts of this process."""
    return {name for model in MODELS for name in own_hyperparameters(model)}


def suggest_own(trial: "optuna.Trial", ranges: Ranges) -> dict[str, Any]:
    """A value of each of `ranges`."""
    return {name: _suggest(trial, name, own) for name, own in ranges.items()}


def _suggest(trial: "optuna.Trial", name: str, own: Choice | Int | Float) -> Any:
    if isinstance(own, Choice):
        return trial.suggest_categorical(name, list(own.choices))
    if isinstance(own, Int):
        return trial.suggest_int(name, own.low, own.high, log=own.log)
    return trial.suggest_float(name, own.low, own.high, log=own.log)


def with_own_apart(values: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of `TrialConfig` from `values`, which have own hyperparameters among them, by name.

    The chosen model gets its own ones, by default those of its first trial; those of other models mean nothing to it
    and are left out, as are augmentations that are off.
    """
    shown = own_augmentations()
    known = own_names() | shown.keys()
    fields = {name: value for name, value in values.items() if name not in known}
    model = str(fields.get("model", TrialConfig.model_fields["model"].default))
    meant = own_hyperparameters(model)
    given = {name: value for name, value in values.items() if name in meant}
    given |= {name: values[name] for name, entry in shown.items() if values.get(name, entry.off) != entry.off}
    custom = own_defaults(model) | dict(fields.get("custom", {})) | given
    return fields | ({"custom": custom} if custom else {})
