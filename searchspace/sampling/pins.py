"""Pinned hyperparameters: `--set name=value`, typed as in the configuration, and checked against the models."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from searchspace.cli.invalid_values import describe_error
from searchspace.own_code.code_options import names_code
from searchspace.own_code.own_hyperparameters import own_hyperparameters, own_names
from trainables.common.errors import UserError, suggest
from trainables.config import TrialConfig
from trainables.custom.ranges import Choice, Float, Int, parse_value
from trainables.models.model_registry import MODELS, OwnModel, is_pretrained

ONLY_FROM_SCRATCH = ("lr",)
"""Hyperparameters that every network from scratch has, and no pretrained one."""
ONLY_PRETRAINED = ("freeze", "head_lr", "backbone_lr", "head_solver", "head_init", "cached_views")
"""Hyperparameters that pretrained networks alone have."""


def read_pins(options: Mapping[str, Any]) -> dict[str, Any]:
    """The pins among options as they are typed, or already parsed; raises as `parse_pins` does."""
    given = options.get("pins") or {}
    return parse_pins(given, names_code(options)) if isinstance(given, list) else dict(given)


def parse_pins(settings: Iterable[str], has_own: bool = False) -> dict[str, Any]:
    """`name=value` texts -> typed `TrialConfig` values; raises `UserError` for a wrong name, type or range.

    With `has_own`, other names may be hyperparameters of the user's own parts: they stay texts for `type_own_pins`.
    """
    fields = [name for name in TrialConfig.model_fields if name != "custom"]
    pins: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise UserError(f"--set {setting!r}: expected name=value")
        if name not in fields and not has_own:
            known, hint = ", ".join(fields), suggest(name, fields)
            raise UserError(f"--set {name!r}: no such hyperparameter; there are {known}{hint}")
        if name in pins:
            raise UserError(f"--set {setting!r}: {name} is pinned twice; give each hyperparameter once")
        pins[name] = _typed(name, text) if name in fields else text
    return pins


def type_own_pins(pins: Mapping[str, Any], ranges: Mapping[str, Choice | Int | Float]) -> dict[str, Any]:
    """`pins` with those of own hyperparameters typed; raises `UserError` for a name that there is not, or a value."""
    return {
        name: value if name in TrialConfig.model_fields else parse_value(name, str(value), ranges)
        for name, value in pins.items()
    }


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
    own = {*ONLY_FROM_SCRATCH, *(field for known in MODELS.values() for field in known.fields), *own_names()}
    if is_pretrained(model):
        return name not in own
    entry = MODELS[model]
    has = {*entry.fields, *ONLY_FROM_SCRATCH, *own_hyperparameters(model)}
    lacks = {*ONLY_PRETRAINED, *(("dropout",) if isinstance(entry, OwnModel) else ())}
    return name not in lacks and (name not in own or name in has)
