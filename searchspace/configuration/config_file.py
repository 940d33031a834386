"""Options from a YAML file, `--config search.yaml`: each by its name, and each value as the text that is typed.

YAML would make `no` and `off` false, `1e-3` a text, `0123` 83 and `1:30` 90. Here a value is the text that stands in
the file, and is read as on the command line; only an empty one, `null` or `~` is none, and leaves the default.
"""

import os
import re
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from searchspace.cli.options import flag_of, option_of
from searchspace.cli.run_options import NOT_IN_FILES, RunOptions
from searchspace.preparation.absolute_paths import from_folder, with_absolute_file
from searchspace.spec import SearchSpec
from trainables.common.errors import UserError, suggest
from trainables.data.sources.source_registry import NAMED_SETS

LARGEST_FILE = 1_000_000
"""Bytes of a file of options at most."""
REFERENCE = re.compile(r"[^:]+\.py:[^:/]+")
"""FILE.py:NAME, which names something of the user's own."""
FLAG = re.compile(r"--([a-z][a-z-]*)(.*)", re.DOTALL)
"""The beginning of an error about an option."""


@dataclass(frozen=True)
class ConfigFile:
    """The options of a file."""

    place: str
    """The file as it was named; empty: there is none."""
    values: Mapping[str, Any]
    """By the name of the field: texts, lists of texts, and true or false."""

    @contextmanager
    def named_in_errors(self, typed: frozenset[str]) -> Iterator[None]:
        """Let an error about one of its options name the file; not of those that were `typed` instead."""
        try:
            yield
        except UserError as error:
            found = FLAG.fullmatch(str(error))
            names = {key: name for name, key in _keys().items()}
            name = names.get(_normal(found[1]), "") if found else ""
            if found is None or type(error) is not UserError or name not in self.values.keys() - typed:
                raise
            raise UserError(f"{self.place}: {found[1]}{found[2]}") from error


def read_config(place: str) -> ConfigFile:
    """The options in the file at `place`; relative paths among them start from its folder.

    Raises `UserError`, which names file, key and value, for what is no option or none that a file may have, for a key
    that is there twice, and for a value of another form. What a value must be is checked with the other options.
    """
    names = {key: name for name, key in _keys().items()} | {name: name for name in _keys()}
    values: dict[str, Any] = {}
    for written, value in _load(place).items():
        key = _normal(str(written))
        if key not in names:
            if key in NOT_IN_FILES:
                raise UserError(f"{place}: {written!r}: is no option of a file; give it on the command line")
            known = [each.replace("_", "-") if "-" in str(written) else each for each in _keys().values()]
            raise UserError(
                f"{place}: {written!r}: no such option; --print-config lists them{suggest(str(written), known)}"
            )
        if names[key] in values:
            raise UserError(f"{place}: {written!r}: is there twice; give each option once")
        if value is not None:
            values[names[key]] = _typed(place, names[key], value)
    return ConfigFile(place, values)


def file_options() -> dict[str, FieldInfo]:
    """The options that a file may have, by name, in the order of the help."""
    fields = SearchSpec.model_fields | RunOptions.model_fields
    return {name: field for name, field in fields.items() if option_of(field) and name not in NOT_IN_FILES}


def key_of(name: str) -> str:
    """An option's key in a file: its name on the command line, with `_`."""
    record = SearchSpec if name in SearchSpec.model_fields else RunOptions
    return _normal(flag_of(record, name).removeprefix("--"))


def _keys() -> dict[str, str]:
    return {name: key_of(name) for name in file_options()}


def _normal(key: str) -> str:
    return key.replace("-", "_")


def _typed(place: str, name: str, value: Any) -> Any:
    """A value as the command line has it."""
    field, key = file_options()[name], key_of(name)
    option = option_of(field)
    assert option is not None  # only such fields have keys
    if name == "pins" and isinstance(value, dict) and not any(isinstance(each, dict | list) for each in value.values()):
        return [f"{setting}={each}" for setting, each in value.items()]
    texts = value if isinstance(value, list) and option.kind == list[str] else [value]
    if not all(isinstance(text, str) for text in texts):
        kinds = (
            "one value"
            if option.kind != list[str]
            else "name: value pairs"
            if name == "pins"
            else "one value, or a list of them"
        )
        raise UserError(f"{place}: {key}: {value!r}: expected {kinds}")
    if field.annotation is bool:
        try:
            return TypeAdapter(bool).validate_python(value)
        except ValidationError as error:
            raise UserError(f"{place}: {key}: {value!r}: expected true or false") from error
    found = [_resolved(place, name, text) for text in texts]
    return found if option.kind == list[str] else found[0]


def _resolved(place: str, name: str, text: str) -> str:
    """A text, whose path starts from the file's folder where it has one."""
    base = _folder_of(place)
    option = option_of(file_options()[name])
    if base == "." or not text or (name == "data" and text in NAMED_SETS):
        return text
    if name == "storage":
        return with_absolute_file(text, base)
    if option and option.is_path and option.kind != list[str]:
        return from_folder(base, text)
    parts = [part.strip() for part in text.split(",")]
    moved = [from_folder(base, p) if (option and option.is_path) or REFERENCE.fullmatch(p) else p for p in parts]
    return ",".join(moved) if moved != parts else text


def _folder_of(place: str) -> str:
    """Folder that paths in a file start from, as it is typed from here; the working folder's for what is no file."""
    path = Path(os.path.expanduser(place))
    here = os.path.relpath(path.parent) if path.is_file() else "."
    return str(path.parent.absolute()) if here.startswith("..") else here


class _TextLoader(yaml.SafeLoader):  # type: ignore[misc]  # it ships no types
    """Reads every value as its text; raises `yaml.YAMLError` for a key that is there twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key.value for key, _ in node.value]
        for place, (key, _) in enumerate(node.value):
            if key.value in keys[:place]:
                raise yaml.MarkedYAMLError(problem=f"{key.value!r} is there twice", problem_mark=key.start_mark)
        found: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return found


def _as_text(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> str:
    return str(loader.construct_scalar(node))


for _kind in ("bool", "int", "float", "timestamp"):
    _TextLoader.add_constructor(f"tag:yaml.org,2002:{_kind}", _as_text)


def _load(place: str) -> dict[str, Any]:
    """The mapping in a YAML file; an empty file has none."""
    try:
        with open(os.path.expanduser(place), "rb") as file:
            content = file.read(LARGEST_FILE + 1)
        if len(content) > LARGEST_FILE:
            raise UserError(f"--config {place!r}: is larger than {LARGEST_FILE:,} bytes; give a file of options")
        found = _read_yaml(content)
    except OSError as error:
        raise UserError(f"--config {place!r}: cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeError, RecursionError) as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None) or str(error)
        line = f" line {mark.line + 1}:" if mark else ""
        raise UserError(f"{place}:{line} {' '.join(problem.split())}") from error
    if found is not None and not isinstance(found, dict):
        raise UserError(f"{place}: expected options, one a line, such as trials: 64")
    return found or {}


def _read_yaml(content: bytes) -> Any:
    """The document, as texts, lists and mappings; no tag makes anything else, as the loader is a `SafeLoader`."""
    loader = _TextLoader(content)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()
