"""A file of options for `--config`: every option with its meaning, the given ones set, the others as comments."""

import textwrap
from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

import yaml
from pydantic.fields import FieldInfo

from searchspace.cli.arguments import option_text
from searchspace.cli.options import describe_option, option_of
from searchspace.cli.run_options import RunOptions
from searchspace.configuration.config_file import file_options, key_of
from searchspace.configuration.effective_options import EffectiveOptions
from searchspace.spec import SearchSpec, make_spec, parse_record
from trainables.common.redaction import redact

WIDTH = 100
"""Characters a line."""
HEADING = """\
Options of a search: searchspace run --config THIS.yaml
What is typed beside --config wins. Relative paths start from this file's folder.
A line that begins with #name: shows an option's default; take the # away to set it."""


def format_config(effective: EffectiveOptions) -> str:
    """The text of the file; raises `UserError` where the options are wrong together."""
    options = dict(effective.values)
    run = parse_record(RunOptions, {name: options.pop(name) for name in RunOptions.model_fields})
    spec = make_spec(**options)
    panels: dict[str, list[str]] = {}
    for name, field in file_options().items():
        option, record = option_of(field), spec if name in SearchSpec.model_fields else run
        assert option is not None  # only such fields are options
        if name in effective.given:
            value = effective.values[name] if option.kind is str else getattr(record, name)
        else:
            value = _default(record, name)
        entry = _comment(describe_option(field, with_default=False) + _choices(field)) + _entry(
            name, value, name in effective.given
        )
        panels.setdefault(option.panel, []).append(entry)
    headings = {panel: f"\n# --- {panel} {'-' * (WIDTH - len(panel) - 7)}\n" for panel in panels}
    return redact(_comment(HEADING) + "".join(headings[panel] + "".join(lines) for panel, lines in panels.items()))


def _default(record: SearchSpec | RunOptions, name: str) -> Any:
    """What the option is without being given: the search's, where that follows from its other options."""
    field = type(record).model_fields[name]
    if field.default_factory_takes_validated_data:
        return getattr(record, name)
    return field.get_default(call_default_factory=True)


def _entry(name: str, value: Any, is_set: bool) -> str:
    plain = _plain(file_options()[name], value)
    text = yaml.safe_dump(plain, default_flow_style=True, width=float("inf"), allow_unicode=True, sort_keys=False)
    return f"{'' if is_set else '#'}{key_of(name)}: {text.removesuffix('...' + chr(10)).strip()}\n"


def _plain(field: FieldInfo, value: Any) -> Any:
    """A value of YAML that is written as it is typed, and is the same to every reader."""
    option = option_of(field)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple):
        return list(value)
    is_number = isinstance(value, int | float) and not (option and option.kind is str)
    if value is None or is_number:
        return int(value) if isinstance(value, float) and value.is_integer() else value
    return option_text(field, value)


def _choices(field: FieldInfo) -> str:
    option = option_of(field)
    is_listed = bool(option and option.choices)  # by the description
    choices = get_args(field.annotation) if get_origin(field.annotation) is Literal and not is_listed else ()
    return f" One of {', '.join(choices)}." if choices else ""


def _comment(text: str) -> str:
    lines = (line for part in text.splitlines() for line in textwrap.wrap(part, WIDTH - 2, break_on_hyphens=False))
    return "".join(f"# {line}\n" for line in lines)
