"""The user's own code that a search keeps: as text in its folder, with its digests in the search's record."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from searchspace.storage.search_folder import CODE, SEARCH_RECORD
from trainables.common.errors import DamagedError
from trainables.custom.custom_code import CustomCode, CustomPart
from trainables.custom.register import add_descriptions
from trainables.storage.files import format_validation_error, read_text, write_file
from trainables.storage.folders import remove_tree

PARTS: TypeAdapter[tuple[CustomPart, ...]] = TypeAdapter(tuple[CustomPart, ...])


def write_code(folder: Path, code: CustomCode) -> dict[str, Any]:
    """Write the source of `code` into a search's folder; returns the fields of the search's record that name it."""
    remove_tree(folder / CODE)  # of a command that ended before its search began
    for path, text in code.files.items():
        write_file(folder / CODE / path, text.encode())
    if not code:
        return {}
    return {"custom": PARTS.dump_python(code.parts, mode="json"), "code_sha256": code.digests}


def read_code(folder: Path, facts: Mapping[str, Any]) -> CustomCode:
    """The code that a search's record names, as it lies in its folder; nothing is run.

    Raises `DamagedError` for a file that is missing, or is not what the record has the digest of.
    """
    described = read_descriptions(folder, facts)
    digests = {str(path): str(sha256) for path, sha256 in dict(facts.get("code_sha256", {})).items()}
    try:
        named = CustomCode(parts=described.parts, files=dict.fromkeys(digests, ""))
    except ValidationError as error:
        raise DamagedError(folder / SEARCH_RECORD, f"code_sha256: {format_validation_error(error)}") from error
    texts = {}
    for path in named.files:
        try:
            texts[path] = read_text(folder / CODE / path)
        except FileNotFoundError as error:
            raise DamagedError(folder / CODE / path, "is missing; it is code of the search") from error
    code = named.model_copy(update={"files": texts})
    for path, sha256 in code.digests.items():
        if digests[path] != sha256:
            raise DamagedError(folder / CODE / path, f"was changed; search.json has its SHA-256, {digests[path][:12]}")
    for part in code.parts:
        if part.file not in code.files:
            raise DamagedError(folder / SEARCH_RECORD, f"code_sha256: {part.file} is missing")
    return code


def read_descriptions(folder: Path, facts: Mapping[str, Any]) -> CustomCode:
    """The parts that a search's record names, without their source, for commands that run none of it."""
    try:
        return CustomCode(parts=PARTS.validate_python(facts.get("custom", ())))
    except ValidationError as error:
        raise DamagedError(folder / SEARCH_RECORD, f"custom.{format_validation_error(error)}") from error


def describe_parts(folder: Path, facts: dict[str, Any]) -> dict[str, Any]:
    """`facts`, a search's record, once this process can show what its metric and augmentations are called."""
    try:
        add_descriptions(read_descriptions(folder, facts))
    except ValidationError as error:
        raise DamagedError(folder / SEARCH_RECORD, f"custom.description.{format_validation_error(error)}") from error
    return facts
