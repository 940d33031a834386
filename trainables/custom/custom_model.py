"""Models of the user's own: functions of the data's summary and hyperparameters that return a whole network."""

import inspect
from collections.abc import Mapping
from typing import Any

from trainables.common.errors import UserError
from trainables.custom.custom_code import CustomPart
from trainables.custom.ranges import RANGES, Choice, Float, Int, declared_ranges
from trainables.models.model_registry import MODELS, OwnModel


def describe_model(found: Any) -> dict[str, Any]:
    """Its hyperparameters: the range and the default of each; raises `UserError` for what builds no model.

    A default in the signature counts before that of the range.
    """
    try:
        signature = inspect.signature(found)
    except (TypeError, ValueError) as error:
        raise UserError(f"{found!r} has no signature; give a function, def build(data, *, ...)") from error
    ranges = declared_ranges(found)
    try:
        signature.bind(None, **dict.fromkeys(ranges))
    except TypeError as error:
        named = f" and declares {', '.join(ranges)}" if ranges else ", and declares no hyperparameters"
        raise UserError(
            f"the function takes {signature}{named}; a model takes the data, and each declared hyperparameter by name "
            f"({error})"
        ) from error
    defaults = {name: _default(name, own, signature.parameters) for name, own in ranges.items()}
    lines = (inspect.getdoc(found) or "").splitlines()
    return {
        "summary": lines[0] if lines else "a network of the user's own",
        "hyperparameters": RANGES.dump_python(ranges, mode="json"), "defaults": defaults,
    }  # fmt: skip


def _default(name: str, own: Choice | Int | Float, parameters: Mapping[str, inspect.Parameter]) -> Any:
    """Default of a hyperparameter: the function's, where it has one that is in the range."""
    given: Any = parameters[name].default if name in parameters else inspect.Parameter.empty
    if given is inspect.Parameter.empty:
        return own.default
    if isinstance(own, Choice):
        right = any(type(given) is type(choice) and given == choice for choice in own.choices)
    else:
        right = isinstance(given, int | float) and own.low <= given <= own.high
    if not right:
        raise UserError(f"the default of {name}, {given!r}, is not of its range, {own!r}; give one that is")
    return float(given) if isinstance(own, Float) else given


def add_model(part: CustomPart, found: Any, code_digest: str) -> None:
    """Let a model be found by its name."""
    MODELS[part.name] = OwnModel(
        summary=str(part.description.get("summary", "")), builder=part.reference, shaped_by=("custom",),
        own=RANGES.validate_python(part.description.get("hyperparameters", {})),
        own_defaults=dict(part.description.get("defaults", {})), digest=code_digest, function=found,
    )  # fmt: skip


def remove_model(part: CustomPart) -> None:
    """Let a model be found no longer."""
    MODELS.pop(part.name, None)
