"""What may follow each command, kept in the cache: a shell asks at each Tab, and the commands load for a second."""

import hashlib
import importlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from searchspace.cli.commands import COMMANDS, find_module
from trainables.common.errors import UserError
from trainables.storage.cache import cache_folder
from trainables.storage.files import read_text, write_file
from trainables.storage.folders import remove_file

NAMING_SEARCHES = {"folder", "model", "resume", "like", "warm_start"}
"""Parameters that name an earlier search."""
PACKAGES = ("searchspace", "trainables")
FOLDER = "completion"
"""Folder in the cache."""


@dataclass(frozen=True)
class Parameter:
    """An option or argument of a command."""

    name: str
    """Its name in Python."""
    flag: str = ""
    """Its option; empty: it is an argument."""
    help: str = ""
    """What it is."""
    words: int = 1
    """Words of its value; 0: a flag has none, -1: any number of arguments."""
    choices: tuple[str, ...] = ()
    """What may be typed for it, as far as that is known."""
    is_list: bool = False
    """Whether several may be given with commas between them."""
    names_search: bool = False
    """Whether it names an earlier search."""


Table = dict[str, list[Parameter]]
"""The parameters of each command, by its name."""


def open_table() -> Table:
    """The table of the code as it is now: from the cache, or made and kept there."""
    file = cache_folder() / FOLDER / f"{_code_key()}.json"
    with suppress(OSError, UserError, ValueError, TypeError):
        kept = json.loads(read_text(file))
        return {name: [Parameter(**_with_tuple(each)) for each in found] for name, found in kept.items()}
    table = {name: list(read_parameters(name)) for name in COMMANDS}
    content = json.dumps({name: [asdict(each) for each in found] for name, found in table.items()})
    with suppress(OSError, UserError):
        write_file(file, content.encode())
        for earlier in set(file.parent.glob("*.json")) - {file}:
            remove_file(earlier)
    return table


def read_parameters(command: str) -> Iterator[Parameter]:
    """The parameters of a command, whose module is imported."""
    module = importlib.import_module(_main_module(find_module(command)))
    if command == "predict":
        yield from _of_parser(module.ARGUMENTS)
        return
    import typer

    app = typer.Typer(add_completion=False)
    app.command()(module.main)
    for found in typer.main.get_command(app).params:
        name, flag = str(found.name), next((each for each in found.opts if each.startswith("--")), "")
        is_flag = bool(getattr(found, "is_flag", False))
        choices, is_list = _choices(module.main, name)
        if not is_flag and not choices:
            choices = _alternatives(str(found.metavar or ""))
        text = " ".join(str(getattr(found, "help", "") or "").split())
        words = 0 if is_flag else found.nargs
        yield Parameter(name, flag, text, words, choices, is_list, name in NAMING_SEARCHES)


def _main_module(module: str) -> str:
    return f"{module}.__main__" if (Path(__file__).parents[2] / module.replace(".", "/")).is_dir() else module


def _choices(main: Any, name: str) -> tuple[tuple[str, ...], bool]:
    """The choices of an option that is a field, and whether several may be given."""
    from searchspace.cli.options import FIELDS, option_of
    from trainables.config import TrialConfig

    field = getattr(main, FIELDS, {}).get(name)
    option = option_of(field) if field is not None else None
    if option is None:
        return (), False
    if name == "pins":
        return tuple(f"{each}=" for each in TrialConfig.model_fields), False
    return tuple(each for each in option.choices if " " not in each), option.kind == list[str]


def _alternatives(metavar: str) -> tuple[str, ...]:
    """The values of a metavariable such as `fail|skip`."""
    return tuple(metavar.split("|")) if "|" in metavar and " " not in metavar else ()


def _of_parser(arguments: Sequence[tuple[str, dict[str, Any]]]) -> Iterator[Parameter]:
    """The parameters of a command line of argparse."""
    for name, settings in arguments:
        is_option, metavar = name.startswith("--"), str(settings.get("metavar", ""))
        many = settings.get("nargs") == "+"
        yield Parameter(
            name.lstrip("-"), name if is_option else "", settings["help"], -1 if many else 1, _alternatives(metavar),
            names_search=name in NAMING_SEARCHES,
        )  # fmt: skip


def _with_tuple(kept: dict[str, Any]) -> dict[str, Any]:
    return kept | {"choices": tuple(kept["choices"])}


def _code_key() -> str:
    """A digest of when the packages' files were changed."""
    root, newest, count = Path(__file__).parents[2], 0, 0
    for package in PACKAGES:
        for folder, _, files in os.walk(root / package):
            for file in files:
                if file.endswith(".py"):
                    newest, count = max(newest, os.stat(os.path.join(folder, file)).st_mtime_ns), count + 1
    return hashlib.blake2b(f"{root} {newest} {count}".encode(), digest_size=8).hexdigest()
