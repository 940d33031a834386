"""Command-line options from the fields of a record: a field defines name, help, default, type and panel."""

import inspect
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from trainables.config import Frozen

MANY = 16
"""Options of a command from which on its `--help` shows those that are common."""
MORE = "More options"
"""Heading of options that stand for others."""
METAVARS = {int: "N", float: "X", str: "TEXT"}
"""What stands for a value of each type in `--help`."""

COMMON = "common"
"""Attribute of a command's function: names of the options that `--help` shows; empty: all."""
FIELDS = "fields"
"""Attribute of a command's function: the fields that its options are made from, by name."""
SHOW_ALL = "searchspace.show_all"
"""Key of a context's `meta` that is there where `--help-all` was given."""


@dataclass(frozen=True)
class Option:
    """How a field appears on the command line; it goes into the field's `Annotated`."""

    panel: str
    """Heading that `--help` lists it under."""
    flag: str = ""
    """Its name there; empty derives it from the field's."""
    kind: Any = None
    """Type of its text there, where the record parses it itself; None is the field's own type."""
    metavar: str | None = None
    """What stands for its value in `--help`; None derives it from the type."""
    choices: Iterable[str] = ()
    """What `{choices}` in the field's description stands for, such as a registry, whose names it is then."""
    is_path: bool = False
    """Whether its text, or each name in it, is a path or a URL."""
    common: bool = False
    """Whether `--help` of a command with many options shows it; `--help-all` shows every option."""


def with_options(
    *records: type[Frozen], without: Collection[str] = ()
) -> Callable[[Callable[..., Any]], Callable[..., None]]:
    """Make `function(given, **fields)` a command for typer: one option for each field of `records` with an `Option`.

    `given` are the fields whose options were typed, rather than left at their defaults. A list, or a field whose
    default follows from others, is passed only if it was typed. What else the function takes and describes to typer
    by `Annotated`, such as an argument, comes first; fields `without` an option may be among it.
    """
    every = {name: field for record in records for name, field in record.model_fields.items() if option_of(field)}
    fields = {name: field for name, field in every.items() if name not in without}
    common = {name for name, field in fields.items() if (option := option_of(field)) and option.common}
    is_short = len(fields) >= MANY and bool(common)
    options = [
        inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context),
        *(
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=None if _is_left_out(field) else _default(field),
                annotation=_typed(name, field),
            )
            for name, field in fields.items()
        ),
    ]  # fmt: skip
    if is_short:
        options.append(
            inspect.Parameter("help_all", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=HELP_ALL)
        )

    def decorate(function: Callable[..., Any]) -> Callable[..., None]:
        def command(context: typer.Context, help_all: bool = False, **values: Any) -> None:  # noqa: ARG001
            given = {
                name for name in values if (source := context.get_parameter_source(name)) and source.name != "DEFAULT"
            }
            left = {name for name in values.keys() & fields.keys() - given if _is_left_out(fields[name])}
            function(frozenset(given), **{name: value for name, value in values.items() if name not in left})

        own = [p for p in inspect.signature(function).parameters.values() if get_origin(p.annotation) is Annotated]
        vars(command)["__signature__"] = inspect.Signature([*own, *options])  # what typer reads
        command.__doc__ = function.__doc__
        vars(command)[FIELDS] = fields
        vars(command)[COMMON] = frozenset(common | {"help_all", "help"} if is_short else ())
        return command

    return decorate


def _show_all(context: typer.Context, asked: bool) -> None:
    if asked:
        context.meta[SHOW_ALL] = True
        context.get_help()  # which prints it
        raise typer.Exit


HELP_ALL = Annotated[
    bool,
    typer.Option(
        "--help-all", help="Show all options and exit.", metavar="", show_default=False, is_eager=True,
        callback=_show_all, expose_value=False, rich_help_panel=MORE,
    ),
]  # fmt: skip


def flag_of(record: type[Frozen], name: str) -> str:
    """A field's name on the command line, as error messages say it."""
    option = option_of(record.model_fields[name]) if name in record.model_fields else None
    return option.flag if option and option.flag else "--" + name.replace("_", "-")


def option_of(field: FieldInfo) -> Option | None:
    """How a field appears on the command line; None where it does not."""
    return next((found for found in field.metadata if isinstance(found, Option)), None)


def _is_left_out(field: FieldInfo) -> bool:
    """Whether the record alone knows the default: of a list, or one that follows from other fields."""
    option = option_of(field)
    return bool(field.default_factory_takes_validated_data or (option and option.kind == list[str]))


def _default(field: FieldInfo) -> Any:
    default = field.get_default(call_default_factory=True, validated_data={})
    option = option_of(field)
    if option and option.kind and not default:
        return "" if option.kind is str else None
    return ",".join(default) if isinstance(default, tuple) else default


def _typed(name: str, field: FieldInfo) -> Any:
    """The option as typer reads it; the text of a single value is passed on as it is, for the record to judge."""
    option = option_of(field)
    assert option is not None  # callers ask for fields with an option only
    literals = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    own = _value_type(field.annotation)
    kind: Any = option.kind or (str if literals or own in METAVARS else field.annotation)
    kind = kind | None if _is_left_out(field) else kind
    shown = "" if kind is bool else option.metavar or "|".join(literals) or METAVARS.get(own)
    flag = option.flag or ("--" + name.replace("_", "-") if kind is bool else "")  # without a --no- twin
    names = filter(None, [flag])
    typed = typer.Option(
        *names, help=describe_option(field), show_default=False, rich_help_panel=option.panel, metavar=shown
    )
    return Annotated[kind, typed]


def describe_option(field: FieldInfo, with_default: bool = True) -> str:
    """An option in one line: its meaning, the choices that it has, and its default."""
    option = option_of(field)
    described = (field.description or "").replace("{choices}", ", ".join(option.choices if option else ()))
    text, default = " ".join(described.split()), _default(field)
    if not with_default or default is None or default is False or default == "":
        return text
    return text + (f" Default: {default:g}." if isinstance(default, float) else f" Default: {default}.")


def _value_type(annotation: Any) -> Any:
    """`int` of `int | None`; anything else as it is."""
    kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
    return kinds[0] if len(kinds) == 1 else annotation
