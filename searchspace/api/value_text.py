"""Python expressions of plain values: what a function's globals become in a file of extracted source."""

import dataclasses
import enum
import functools
import logging
import math
import pathlib
import re
from collections.abc import Callable
from typing import Any

from trainables.config import Frozen

Refer = Callable[[Any], str]
"""Gives the name of a function, class or module in the extracted file; raises `UnwritableError`."""
MAX_TEXT = 1_000_000
"""Most characters of one expression."""
MAX_DEPTH = 50
"""Levels of containers within containers."""
BRACKETS: dict[type, str] = {list: "[]", tuple: "()", set: "{}"}


class UnwritableError(Exception):
    """A value that no expression gives; its argument is that value."""


def value_text(value: Any, refer: Refer, depth: int = 0) -> str:
    """Expression that gives a value like `value`.

    Plain constants, lists, tuples, dicts and sets of them, members of enumerations, dataclasses, named tuples, paths,
    compiled regular expressions, loggers, ranges, `functools.partial`; functions, classes and modules by `refer`.
    Raises `UnwritableError` for others.
    """
    if depth > MAX_DEPTH:
        raise UnwritableError(value)
    text = _constant(value)
    if text is None:
        text = _container(value, lambda part: value_text(part, refer, depth + 1))
    if text is None:
        text = _record(value, refer, lambda part: value_text(part, refer, depth + 1))
    if text is None:
        text = refer(value)
    if len(text) > MAX_TEXT:
        raise UnwritableError(value)
    return text


def _constant(value: Any) -> str | None:
    if type(value) is float and not math.isfinite(value):
        return f'float("{value}")'
    if value is None or value is Ellipsis or type(value) in {bool, int, float, complex, str, bytes, range, slice}:
        return repr(value)
    return None


def _container(value: Any, write: Callable[[Any], str]) -> str | None:
    kind = type(value)
    if kind is dict:
        return "{" + ", ".join(f"{write(key)}: {write(part)}" for key, part in value.items()) + "}"
    if kind is frozenset:
        return f"frozenset({write(set(value))})"
    if kind not in BRACKETS:
        return None
    if kind is set and not value:
        return "set()"
    parts = sorted(map(write, value)) if kind is set else list(map(write, value))  # the same text in every process
    comma = "," if kind is tuple and len(parts) == 1 else ""
    return f"{BRACKETS[kind][0]}{', '.join(parts)}{comma}{BRACKETS[kind][1]}"


def _record(value: Any, refer: Refer, write: Callable[[Any], str]) -> str | None:
    """Expression of an object that is made by a call with its parts."""
    found = _call(value)
    if found is None:
        return None
    function, positional, named = found
    parts = [*map(write, positional), *(f"{name}={write(part)}" for name, part in named.items())]
    return f"{refer(function)}({', '.join(parts)})"


def _call(value: Any) -> tuple[Any, list[Any], dict[str, Any]] | None:
    """What is called to make an object, and with which arguments."""
    found: tuple[Any, list[Any], dict[str, Any]] | None = None
    if isinstance(value, type):
        pass
    elif isinstance(value, enum.Enum):
        found = type(value), [value.value], {}
    elif isinstance(value, pathlib.PurePath):
        found = pathlib.Path, [str(value)], {}
    elif type(value) is logging.Logger:
        found = logging.getLogger, [value.name], {}
    elif isinstance(value, re.Pattern):
        found = re.compile, [value.pattern, value.flags], {}
    elif type(value) is functools.partial:
        found = functools.partial, [value.func, *value.args], value.keywords
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        found = type(value), list(value), {}
    elif isinstance(value, Frozen):
        found = type(value), [], dict(value)
    elif dataclasses.is_dataclass(value):
        fields = [field.name for field in dataclasses.fields(value) if field.init]
        found = type(value), [], {name: getattr(value, name) for name in fields}
    return found
