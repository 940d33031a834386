"""Pinned hyperparameters: `--set name=value`, typed as the configuration has them, and held to the models searched."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from searchspace.cli.invalid_values import say_wrong
from trainables.common.closest_match import suggest
from trainables.common.errors import UserError
from trainables.config import TrialConfig
from trainables.models.model_registry import MODELS, is_pretrained

FROM_SCRATCH = ("lr",)
"""Hyperparameters that every network from scratch has, and no pretrained one."""
PRETRAINED = ("freeze", "head_lr", "backbone_lr")
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
        raise UserError(f"--set {name}={text}: {say_wrong(TrialConfig, error.errors()[0])}") from error


def check_pins(pins: Mapping[str, Any], models: tuple[str, ...]) -> None:
    """Raise `UserError` for a pin that would change nothing, with the `models` that were asked for.

    Those are a hyperparameter that none of them has, and a model that is not among them.
    """
    if not models:
        return
    model = pins.get("model", models[0])
    if model not in models:
        raise UserError(f"--set model={model}: is not one of --models {','.join(models)}")
    searched = (model,) if "model" in pins else models
    for name, value in pins.items():
        if not any(_has(each, name) for each in searched):
            have = f"{searched[0]} has" if len(searched) == 1 else f"{', '.join(searched)} have"
            raise UserError(f"--set {name}={value}: {have} no {name}; it would change nothing")


def _has(model: str, name: str) -> bool:
    """Whether a hyperparameter means anything to a model; those that shape no network mean something to all."""
    own = {*FROM_SCRATCH, *(field for known in MODELS.values() for field in known.fields)}
    if is_pretrained(model):
        return name not in own
    return name not in PRETRAINED and (name not in own or name in {*MODELS[model].fields, *FROM_SCRATCH})
