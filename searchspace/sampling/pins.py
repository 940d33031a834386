"""Pinned hyperparameters: `--set name=value`, typed as in the configuration, and checked against the models."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from searchspace.cli.invalid_values import describe_error
from trainables.common.errors import UserError, suggest
from trainables.config import TrialConfig
from trainables.models.model_registry import MODELS, is_pretrained

ONLY_FROM_SCRATCH = ("lr",)
"""Hyperparameters that every network from scratch has, and no pretrained one."""
ONLY_PRETRAINED = ("freeze", "head_lr", "backbone_lr", "head_solver", "head_init", "cached_views")
"""Hyperparameters that pretrained networks alone have."""


def parse_pins(settings: Iterable[str]) -> dict[str, Any]:
    """`name=value` texts -> typed `TrialConfig` values; raises `UserError` for a wrong name, type or range."""
    pins: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise UserError(f"--set {setting!r}: expected name=value")
        if name not in TrialConfig.model_fields:
            known = ", ".join(TrialConfig.model_fields)
            hint = suggest(name, TrialConfig.model_fields)
            raise UserError(f"--set {name!r}: no such hyperparameter; there are {known}{hint}")
        if name in pins:
            raise UserError(f"--set {setting!r}: {name} is pinned twice; give each hyperparameter once")
        pins[name] = _typed(name, text)
    return pins


def _typed(name: str, text: str) -> Any:
    try:
        return getattr(TrialConfig.model_validate({name: text}), name)
    except ValidationError as error:
        raise UserError(f"--set {name}={text}: {describe_error(TrialConfig, error.errors()[0])}") from error


def check_pins(pins: Mapping[str, Any], models: tuple[str, ...]) -> None:
    """Raise `UserError` for a pin without effect: a hyperparameter that none of the `models` has, or another model.

    Nothing is checked where `models` is empty.
    """
    if not models:
        return
    model = pins.get("model", models[0])
    if model not in models:
        raise UserError(f"--set model={model}: is not one of --models {','.join(models)}")
    searched = (model,) if "model" in pins else models
    for name, value in pins.items():
        if not any(_has_hyperparameter(each, name) for each in searched):
            have = f"{searched[0]} has" if len(searched) == 1 else f"{', '.join(searched)} have"
            raise UserError(f"--set {name}={value}: {have} no {name}; it would change nothing")


def _has_hyperparameter(model: str, name: str) -> bool:
    """Whether a model has a hyperparameter; those that shape no network belong to all models."""
    own = {*ONLY_FROM_SCRATCH, *(field for known in MODELS.values() for field in known.fields)}
    if is_pretrained(model):
        return name not in own
    return name not in ONLY_PRETRAINED and (name not in own or name in {*MODELS[model].fields, *ONLY_FROM_SCRATCH})
