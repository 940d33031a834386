"""Collects the user's own parts that options name: reads their source, runs it, and describes what it holds."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from trainables.common.errors import UserError, suggest
from trainables.custom.custom_code import CustomCode, CustomKind, CustomPart
from trainables.custom.entry_points import find_entry_point
from trainables.custom.part_kinds import PART_KINDS
from trainables.custom.reference import CodeReference, parse_reference
from trainables.custom.source_files import read_sources
from trainables.custom.source_modules import load_module


def collect(wanted: Iterable[tuple[CustomKind, str]]) -> CustomCode:
    """The code of the parts that are `wanted`, each as its kind and its reference.

    Runs the code of each, and checks it as its kind demands. Raises `UserError`, which names option and reference, for
    a file or function that is not there, that raises, or that cannot be such a part, and for two of one name.
    """
    code, roots = CustomCode(), list[Path]()
    for kind, text in wanted:
        asked = PART_KINDS[kind]
        reference = describe_reference(kind, text)
        if reference.root not in roots:
            roots.append(reference.root)
        tree = f"{roots.index(reference.root)}"
        sources = read_sources(asked.option, reference)
        part = CustomPart(
            kind=kind, name=reference.name, reference=reference.text, file=f"{tree}/{reference.path}",
            attribute=reference.attribute,
        )  # fmt: skip
        _check_name(asked.option, part, code)
        files = code.files | {f"{tree}/{path}": content for path, content in sources.items()}
        code = CustomCode(parts=(*code.parts, part), files=dict(sorted(files.items())))
    return code.model_copy(update={"parts": tuple(_described(code, part) for part in code.parts)})


def load_part(code: CustomCode, part: CustomPart) -> Any:
    """The object that a part is; raises `UserError`, which names its option and reference, where there is none."""
    place = f"{PART_KINDS[part.kind].option} {part.reference!r}"
    try:
        module = load_module(code.sources(part), part.file.removeprefix(f"{part.tree}/"))
    except SystemExit as error:
        raise UserError(f"{place}: the file ends Python (SystemExit: {error})") from error
    except Exception as error:  # the user's file may raise anything
        said = " ".join(str(error).split())
        raise UserError(f"{place}: {type(error).__name__}: {said}") from error
    found = getattr(module, part.attribute, None)
    if found is None or not (callable(found) or PART_KINDS[part.kind].takes_objects):
        hint = suggest(part.attribute, vars(module))
        raise UserError(f"{place}: {part.reference.rpartition(':')[0]!r} has no function {part.attribute!r}{hint}")
    return found


def describe_reference(kind: CustomKind, text: str) -> CodeReference:
    """Where the code of a reference or an entry point is; it is not read. Raises `UserError` if there is none."""
    asked = PART_KINDS[kind]
    offered = find_entry_point(kind, text, asked.option)
    found = parse_reference(asked.option, offered or text, asked.expected)
    return replace(found, entry_point=text) if offered else found


def _described(code: CustomCode, part: CustomPart) -> CustomPart:
    found = load_part(code, part)
    try:
        return part.model_copy(update={"description": PART_KINDS[part.kind].describe(found)})
    except UserError as error:
        raise UserError(f"{PART_KINDS[part.kind].option} {part.reference!r}: {error}") from error


def _check_name(option: str, part: CustomPart, code: CustomCode) -> None:
    for other in code.parts:
        if (other.kind, other.name) == (part.kind, part.name):
            raise UserError(
                f"{option} {part.reference!r}: {other.reference!r} is called {part.name!r} as well; rename a file or "
                "a function"
            )
