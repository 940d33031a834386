"""What a search's process is started with: its command line and its environment, from Python values."""

import os
import re
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from searchspace.api.code_reference import to_reference
from searchspace.api.search_options import ResumeOptions, SearchOptions
from searchspace.cli.arguments import to_arguments
from searchspace.cli.command_start import HOST_RAY_VARIABLE
from searchspace.cli.options import flag_of
from searchspace.cli.run_options import RunOptions
from searchspace.export import ExportOptions
from searchspace.own_code.code_options import CODE_OPTIONS
from searchspace.spec import SearchSpec, make_spec
from searchspace.storage.search_folder import SEARCH_RECORD
from trainables.common.errors import UserError, suggest
from trainables.common.redaction import is_redacted, redact_urls
from trainables.storage.files import is_file
from trainables.storage.local_copy import local_copy_folder
from trainables.storage.object_store.remote import is_url

PYTHON_NAMES = {"set": "pins"}
"""Fields of `SearchSpec` whose options have another name in Python, which is that of the command line."""
RUN, EXPORT = "searchspace.run", "searchspace.export"
"""Modules of the commands that a process may run."""
COMMAND = "searchspace "
"""How a command that an error advises begins; it is for a shell, and stays as it is."""


@dataclass(frozen=True)
class SearchRequest:
    """What the process of a search, or of its winner's export, is started with."""

    arguments: list[str]
    """Its command line, without passwords."""
    name: str
    """Name of the search."""
    folder: Path
    """Its results folder; with a URL, the working copy on this machine."""
    place: str
    """The folder, or its URL."""
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    """Environment variables that no command line may show."""
    module: str = RUN
    """The command: `RUN` or `EXPORT`."""

    @property
    def environment(self) -> dict[str, str]:
        """Environment of the process: this one's, so that the same packages are imported, and the secrets."""
        inherited = dict(os.environ)
        if inherited.get("MPLBACKEND", "").startswith("module://"):
            del inherited["MPLBACKEND"]  # a notebook's, which draws into the notebook
        if address := _host_ray():
            inherited.setdefault("RAY_AUTH_MODE", "disabled")  # as this program's Ray has it, which sets `token` itself
            inherited[HOST_RAY_VARIABLE] = address
        return inherited | import_path() | self.secrets


def request_search(data: str, options: Mapping[str, Any]) -> SearchRequest:
    """The request of a new search on the data at a path or of a name; raises `UserError` for what no search can have.

    The search gets its name here, so that it is known where the process fails.
    """
    check_names(options, SearchOptions)
    given = _by_field({"address": _host_ray(), "data": data, **options})
    run = {name: given.pop(name) for name in RunOptions.model_fields if name in given}
    try:
        spec = make_spec(**_with_texts(given))
        arguments = to_arguments(SearchSpec, given | {"name": spec.name}) + to_arguments(RunOptions, run)
    except UserError as error:
        raise in_python_words(error) from None
    return SearchRequest(arguments, spec.name, spec.folder, spec.home.url or str(spec.folder), _secrets(given))


def request_resumption(place: str, options: Mapping[str, Any]) -> SearchRequest:
    """The request that resumes the search in a folder, or at a URL, with some options changed."""
    check_names(options, ResumeOptions)
    given = _by_field({"address": _host_ray(), **options})
    run = {name: given.pop(name) for name in RunOptions.model_fields if name in given}
    try:
        arguments = to_arguments(RunOptions, {"resume": place, **run}) + to_arguments(SearchSpec, given)
    except UserError as error:
        raise in_python_words(error) from None
    name, folder = _name_and_folder(place)
    return SearchRequest(arguments, name, folder, place if is_url(place) else str(folder), _secrets(given))


def request_export(place: str, options: Mapping[str, Any]) -> SearchRequest:
    """The request that exports the winner of the search in a folder, or at a URL, again; `options` are its own."""
    given = {name: os.fspath(value) if name == "output" else value for name, value in options.items() if value}
    return SearchRequest([place, *to_arguments(ExportOptions, given)], *_name_and_folder(place), place, module=EXPORT)


def _name_and_folder(place: str) -> tuple[str, Path]:
    """Name of a search in a folder, or at a URL, and its folder here."""
    folder = local_copy_folder("results", place) if is_url(place) else Path(place).resolve()
    return place.rstrip("/").rpartition("/")[2], folder


def how_to_resume(request: SearchRequest) -> str:
    """How the search goes on, or its winner is exported, from Python."""
    if request.module == EXPORT:
        return f"again: searchspace.load({_typed(request)!r}).winner.export()"
    if not is_file(request.folder / SEARCH_RECORD):
        return "nothing was begun"
    return f"resume with: searchspace.load({_typed(request)!r}).resume()"


def _typed(request: SearchRequest) -> str:
    """Its folder or URL as one would type it here."""
    if is_url(request.place):
        return request.place
    near = os.path.relpath(request.folder)
    return request.place if near.startswith(os.pardir) else near


def check_names(options: Mapping[str, Any], kind: Any) -> None:
    """Raise `UserError` for an option that is not among those of `kind`, a `TypedDict`."""
    known = kind.__annotations__
    for name in options:
        if name not in known:
            raise UserError(f"{name}: no such option{suggest(name, known) or '; there are ' + ', '.join(known)}")


def _by_field(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given, by their fields; functions by reference, and seconds as text, which has a unit."""
    named = {
        PYTHON_NAMES.get(name, name): _referred(name, value) for name, value in options.items() if value is not None
    }
    for name in ("budget", "time_budget"):
        if isinstance(named.get(name), int | float):
            named[name] = f"{named[name]}s"
    return named


def _referred(name: str, value: Any) -> Any:
    """A value, or each of a list, by reference where it is a function, a class, or another object that is a part."""
    if isinstance(value, list | tuple):
        return [_referred(name, each) for each in value]
    is_part = callable(value) or (name in CODE_OPTIONS and not isinstance(value, str | int | float | os.PathLike))
    return to_reference(value, f"{name}=") if is_part else value


def _host_ray() -> str | None:
    """Address of the Ray that this program has begun or joined; None where it has none."""
    ray = sys.modules.get("ray")
    return str(ray.get_runtime_context().gcs_address) if ray is not None and ray.is_initialized() else None


def _with_texts(given: Mapping[str, Any]) -> dict[str, Any]:
    """The options as `make_spec` takes them: pins as the command line has them, by which they are checked."""
    pins = given.get("pins") or {}
    texts = (
        [f"{name}={value}" for name, value in pins.items()] if isinstance(pins, Mapping) else [str(pin) for pin in pins]
    )
    paths = {name: os.fspath(value) for name, value in given.items() if isinstance(value, os.PathLike)}
    lists = {name: list(value) for name, value in given.items() if isinstance(value, tuple)}
    return {**given, **paths, **lists, "pins": texts}


def _secrets(given: Mapping[str, Any]) -> dict[str, str]:
    from searchspace.study.database import STORAGE_VARIABLE

    storage = str(given.get("storage", ""))
    return {STORAGE_VARIABLE: storage} if redact_urls(storage) != storage and not is_redacted(storage) else {}


def import_path() -> dict[str, str]:
    """Where this process found the package, for a process that would not find it by itself."""
    root = str(Path(__file__).parents[3])
    if root == sysconfig.get_path("purelib"):
        return {}
    earlier = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    return {"PYTHONPATH": os.pathsep.join(dict.fromkeys([root, *earlier]))}


def in_python_words(error: UserError) -> UserError:
    """The error with options as Python has them: `--trials 0: ...` becomes `trials=0: ...`."""
    text, mark, command = str(error).partition(COMMAND)
    for record in (SearchSpec, RunOptions, ExportOptions):
        for name in record.model_fields:
            shown = next((python for python, known in PYTHON_NAMES.items() if known == name), name)
            flag = re.escape(flag_of(record, name))
            text = re.sub(rf"{flag} ('(?:[^'\\]|\\.)*'|[^\s:;,]+)(?=:)", rf"{shown}=\1", text)
            text = re.sub(rf"{flag}(?![\w-])", shown, text)
    return UserError(text + mark + command)


def python_command(module: str) -> list[str]:
    """The command of a module, without its arguments."""
    return [sys.executable, "-m", module]
