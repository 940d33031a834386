"""Command-line arguments from the values of options: what a program passes to a command that it starts."""

import os
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, get_args, get_origin

from pydantic import BeforeValidator, PlainSerializer
from pydantic.fields import FieldInfo

from searchspace.budget.budget import Budget
from searchspace.cli.options import flag_of, option_of
from searchspace.cli.values import parse_duration
from trainables.common.errors import UserError, suggest
from trainables.common.redaction import redact_urls
from trainables.config import Frozen


def to_arguments(record: type[Frozen], values: Mapping[str, Any]) -> list[str]:
    """The arguments that give the options of `record` these `values`, which are Python's, by the names of its fields.

    A text is passed on as it is: `budget="1h"`. None and False are what an option has that is not given, and leave it
    out. The password of a URL is hidden, because other users see command lines: the caller passes it by
    $SEARCHSPACE_STORAGE. Raises `UserError` for a name of no option, and for a value that no command line can have.
    """
    known = [name for name, field in record.model_fields.items() if option_of(field)]
    words: list[str] = []
    for name, value in values.items():
        if name not in known:
            raise UserError(f"{name}={value!r}: no such option; there are {', '.join(known)}{suggest(name, known)}")
        if value is not None and value is not False:
            words += _words(flag_of(record, name), record.model_fields[name], value)
    return words


def _words(flag: str, field: FieldInfo, value: Any) -> list[str]:
    if value is True:
        return [flag]
    if isinstance(value, Mapping):
        return [word for name, each in value.items() for word in (flag, f"{name}={_text(each)}")]
    if not isinstance(value, list | tuple):
        return [flag, option_text(field, value)]
    texts = [_text(each) for each in value]
    if get_origin(field.annotation) is dict:  # name=value, as they are typed
        return [word for text in texts for word in (flag, text)]
    if _is_pair(field):
        return [flag, *texts]
    for text in texts:
        if "," in text:
            raise UserError(f"{flag} {text!r}: a command line has commas between names, so that none may be in one")
    return [flag, ",".join(texts)]


def option_text(field: FieldInfo, value: Any) -> str:
    """One value as it is typed for an option; the password of a URL is hidden."""
    if isinstance(value, Budget):
        return _budget_text(value)
    if isinstance(value, int | float) and parse_duration in _functions(field, BeforeValidator):
        return f"{_plain(value)}s" if value else ""
    text = _text(value)
    return redact_urls(text) if redact_urls in _functions(field, PlainSerializer) else text


def _budget_text(budget: Budget) -> str:
    """The whole amount, as `parse_budget` reads it."""
    amount = _plain(budget.amount)
    return {"dollars": f"${amount}", "GPU-hours": f"{amount}gpuh"}.get(budget.unit, f"{amount}s")


def _plain(number: float) -> str:
    """A number without an exponent, every digit of it."""
    return str(int(number)) if float(number).is_integer() else format(Decimal(repr(number)), "f")


def _text(value: Any) -> str:
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)


def _is_pair(field: FieldInfo) -> bool:
    """Whether the option takes a fixed number of words, as `tuple[str, str]` does."""
    kinds = [kind for kind in (field.annotation, *get_args(field.annotation)) if get_origin(kind) is tuple]
    return any(... not in get_args(kind) for kind in kinds)


def _functions(field: FieldInfo, kind: type[Any]) -> Iterator[Any]:
    """Functions of a field's validators or serializers of one kind."""
    return (each.func for each in field.metadata if isinstance(each, kind))
