"""A user's search space, as `--space FILE.py:FUNCTION` names it: found among the code of the search, or loaded."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trainables.custom.collect import collect, describe_reference, load_part
from trainables.custom.custom_space import SPACES
from trainables.storage.files import read_file


def split_reference(reference: str) -> tuple[Path, str]:
    """File and function that `FILE.py:FUNCTION` names; raises `UserError` unless the file exists."""
    found = describe_reference("space", reference)
    return found.file, found.attribute


def load_function(reference: str) -> Callable[..., Any]:
    """The function that `FILE.py:FUNCTION` names; raises `UserError` where there is none that takes a trial and a task.

    A search's kept code comes first. The file may import modules beside it, and may be part of a package.
    """
    if reference in SPACES:
        return SPACES[reference]
    code = collect([("space", reference)])
    function: Callable[..., Any] = load_part(code, code.parts[0])
    return function


def hash_file(reference: str) -> str:
    """SHA-256 of the space's file, which a resumed search compares; empty for the default space."""
    return hashlib.sha256(read_file(split_reference(reference)[0].resolve())).hexdigest() if reference else ""
