"""What `searchspace/api/search_options.py` has to be by `SearchSpec`: `python -m tests.helpers.search_options_file`."""

import re
import textwrap
from typing import Any, Literal, get_args, get_origin

from pydantic import BeforeValidator
from pydantic.fields import FieldInfo

from searchspace.cli.options import METAVARS, flag_of, option_of
from searchspace.cli.run_options import RunOptions
from searchspace.cli.values import parse_budget, parse_duration
from searchspace.preparation.resume import CHANGEABLE_OPTIONS
from searchspace.spec import SearchSpec
from tests.helpers.repository import ROOT
from trainables.config import Frozen

FILE = ROOT / "searchspace" / "api" / "search_options.py"
HEAD = '''"""Options of `searchspace.search`: those of `searchspace run`, by the same names with underscores.

Written by tests/helpers/search_options_file.py from the specification of a search; a test holds both equal.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypedDict

Path = str | os.PathLike[str]
"""A file, a folder, or a URL."""
Function = Callable[..., Any]
"""A function, or class, of your own."""


'''
OF_FUNCTIONS = {
    "models": "Sequence[str | Function]", "augmentations": "Sequence[str | Function]", "metric": "str | Function",
    "space": "str | Function", "data_source": "str | Function", "data": "Any",
}  # fmt: skip
"""Options that take functions of one's own, or their names."""
PATHS = {"root", "results"}
IN_PYTHON = {"Comma-separated: ": "Any of: "}
"""Words of the command line, and what a program's options say instead."""


def render() -> str:
    """The whole file."""
    options = {name: (SearchSpec, field) for name, field in SearchSpec.model_fields.items() if option_of(field)}
    price = {"price_per_hour": (RunOptions, RunOptions.model_fields["price_per_hour"])}
    return HEAD + "\n\n".join([
        _class(
            "SearchOptions",
            "Options of a search. One that is left out, or None, has its default, which may follow from others.",
            {name: of for name, of in options.items() if name != "data"} | price,
        ),
        _class(
            "ResumeOptions",
            "Options that a search may be resumed with; all others are what the search is.",
            {name: of for name, of in options.items() if name in CHANGEABLE_OPTIONS - {"results"}} | price,
        ),
    ])  # fmt: skip


def python_name(record: type[Frozen], name: str) -> str:
    """An option's name in Python: its flag's, with underscores."""
    return flag_of(record, name).lstrip("-").replace("-", "_")


def _class(name: str, said: str, fields: dict[str, tuple[type[Frozen], FieldInfo]]) -> str:
    lines = [f"class {name}(TypedDict, total=False):", f'    """{said}"""', ""]
    for field_name, (record, field) in fields.items():
        lines += [f"    {python_name(record, field_name)}: {python_type(field_name, field)}", *_docstring(field)]
    return "\n".join(lines) + "\n"


def python_type(name: str, field: FieldInfo) -> str:
    """The values that Python programs give an option, as a type is written."""
    if name in OF_FUNCTIONS:
        return OF_FUNCTIONS[name] + " | None" * (OF_FUNCTIONS[name] != "Any")
    kinds = {each.func for each in field.metadata if isinstance(each, BeforeValidator)}
    if kinds & {parse_duration, parse_budget}:
        return "str | float | None"
    return f"{_plain_type(name, field.annotation)} | None"


def _plain_type(name: str, annotation: Any) -> str:
    alone = [kind for kind in get_args(annotation) if kind is not type(None)]
    if get_origin(annotation) is Literal:
        return "Literal[" + ", ".join(f'"{value}"' for value in get_args(annotation)) + "]"
    if get_origin(annotation) is dict:
        return "Mapping[str, bool | int | float | str]"
    if get_origin(annotation) is tuple:
        return "Sequence[str]"
    if name in PATHS:
        return "Path"
    kind = annotation if annotation in (bool, *METAVARS) else alone[0]
    return str(kind.__name__)


def _docstring(field: FieldInfo) -> list[str]:
    option = option_of(field)
    assert option is not None
    text = " ".join((field.description or "").replace("{choices}", ", ".join(option.choices)).split())
    for words, instead in IN_PYTHON.items():
        text = text.replace(words, instead)
    text = re.sub(r"--([a-z-]+)", lambda flag: f"`{flag[1].replace('-', '_')}`", text)
    default = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(default, int | float | str) and default != "" and default is not False:
        text += f" Default: {default!r}."
    lines = textwrap.wrap(f'"""{text}', 116)
    lines = [*lines[:-1], f'{lines[-1]}"""'] if len(lines[-1]) <= 113 else [*lines, '"""']
    return [f"    {line}" for line in lines]


if __name__ == "__main__":
    FILE.write_text(render())
