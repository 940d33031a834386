"""Describes in one line why a record refuses a value: what is allowed, and the closest match."""

import re
from collections.abc import Mapping
from types import NoneType
from typing import Any, get_args

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from searchspace.sampling.sampler_registry import SAMPLERS
from searchspace.stopping.rules import SCHEDULERS
from trainables.common.errors import suggest
from trainables.config import Frozen
from trainables.metrics.metric_registry import METRICS

CHOICE = re.compile("'([^']*)'")
"""A choice, as pydantic lists them."""
SYNONYMS = {
    alias: name
    for registry in (METRICS, SAMPLERS, SCHEDULERS)
    for name, entry in registry.items()
    for alias in entry.aliases
} | {"fp16": "bf16", "float32": "fp32"}
"""Names that other tools have for a choice."""
BOUND_WORDS = {
    "ge": "of at least", "gt": "above", "le": "of at most", "lt": "below", "min_length": "", "max_length": "",
}  # fmt: skip
"""Bounds as annotated types name them, in words."""
TYPE_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}


def describe_error(record: type[Frozen], error: ErrorDetails) -> str:
    """What is wrong with a field's value, by what `record` allows there."""
    if error["type"] == "literal_error":
        choices = CHOICE.findall(error["ctx"]["expected"])
        return f"not one of {', '.join(choices)}{_meant(str(error['input']), choices)}"
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    field = record.model_fields.get(str(error["loc"][0])) if error["loc"] else None
    if field is None:
        return "is no field of it" + suggest(str(error["loc"][0]) if error["loc"] else "", record.model_fields)
    said = f"expected {describe_allowed(field)}"
    return said.replace("a number", "a finite number") if error["type"] == "finite_number" else said


def describe_first_error(record: type[Frozen], error: ValidationError) -> str:
    """The first thing that is wrong with what was written down earlier: `trials: expected a whole number ...`."""
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or 'its fields'}: {describe_error(record, first)}"


def describe_allowed(field: FieldInfo) -> str:
    """What a field takes: `a whole number of at least 1 (default: 64)`."""
    kinds = [kind for kind in get_args(field.annotation) or (field.annotation,) if kind is not NoneType]
    what = TYPE_WORDS.get(kinds[0], "another kind of value") if len(kinds) == 1 else "another kind of value"
    limits = {name: getattr(bound, name) for bound in field.metadata for name in BOUND_WORDS if hasattr(bound, name)}
    default = field.get_default(call_default_factory=True, validated_data={})
    shown = f" (default: {default:g})" if isinstance(default, int | float) and not isinstance(default, bool) else ""
    return f"{what}{_bounds(limits)}{shown}"


def _bounds(limits: Mapping[str, Any]) -> str:
    if set(limits) == {"ge", "le"}:
        return f" from {_plain(limits['ge'])} to {_plain(limits['le'])}"
    if "min_length" in limits:
        return f" of {limits['min_length']} to {limits.get('max_length', 'any number of')} characters"
    told = [f" {BOUND_WORDS[name]} {_plain(bound)}" for name, bound in limits.items()]
    return " and".join(told)


def _plain(bound: float) -> str:
    """A bound as it is typed: a million is 1000000."""
    return f"{bound:.15g}"


def format_value(value: Any) -> str:
    """A value as it was typed: a number bare, anything else in quotes."""
    text = ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
    bare = isinstance(value, int | float) or re.fullmatch(r"[+-]?\d+(\.\d+)?", text)
    return text if bare else repr(text)


def _meant(word: str, choices: list[str]) -> str:
    known = SYNONYMS.get(word.casefold(), "")
    return f"; did you mean {known!r}?" if known in choices else suggest(word, choices)
