"""Search spaces of the user's own: functions of a trial and the task at hand."""

import inspect
from collections.abc import Callable
from typing import Any

from trainables.common.errors import UserError
from trainables.custom.custom_code import CustomPart

SPACES: dict[str, Callable[..., Any]] = {}
"""The spaces of this process, by their references."""


def describe_space(found: Any) -> dict[str, Any]:
    """Nothing, of a function that takes a trial and a task; raises `UserError` for another one."""
    try:
        signature = inspect.signature(found)
    except (TypeError, ValueError):  # some callables have none
        return {}
    try:
        signature.bind(None, None)
    except TypeError as error:
        raise UserError(f"the function takes {signature}; a space takes two arguments, (trial, task)") from error
    return {}


def add_space(part: CustomPart, found: Any, _code_digest: str) -> None:
    """Let a space be found by its reference."""
    if found is not None:
        SPACES[part.reference] = found


def remove_space(part: CustomPart) -> None:
    """Let a space be found no longer."""
    SPACES.pop(part.reference, None)
