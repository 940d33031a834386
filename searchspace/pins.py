"""Hyperparameters that `--set NAME=VALUE` holds fixed."""

from typing import Any

from pydantic import ValidationError

from searchspace.wrong import say_wrong
from trainables.config import TrialConfig
from trainables.errors import UserError
from trainables.nearest import suggest


def parse_pins(settings: list[str]) -> dict[str, Any]:
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
        pins[name] = _typed(name, text)
    return pins


def _typed(name: str, text: str) -> Any:
    try:
        return getattr(TrialConfig.model_validate({name: text}), name)
    except ValidationError as error:
        raise UserError(f"--set {name}={text}: {say_wrong(TrialConfig, error.errors()[0])}") from error
