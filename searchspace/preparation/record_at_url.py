"""Options that a search resumed from a URL does not take from its record, which others may have written.

All who may write at the URL choose what `search.json` names. Most of it says what to train. Three options decide whose
code runs here and who gets this machine's passwords; those come from the command line, or are checked against what is
here: the space's file, the Ray cluster, and the database.
"""

import shlex
from collections.abc import Set
from pathlib import Path

from searchspace.sampling.space_file import hash_file
from searchspace.spec import SearchSpec
from searchspace.study.database import allowed_url
from trainables.common.errors import UserError

HARMLESS_ADDRESSES = ("", "auto")
"""Ray that is started here, and the one that runs here already."""


def replaced_options(known: SearchSpec, sha256: str, given: Set[str], flag: str = "--resume") -> dict[str, str]:
    """Options that replace the recorded ones, where they were not `given`; `flag` is what names the search.

    `sha256` is the recorded digest of the space's file. Raises `UserError` for an option that must be given again.
    """
    if "address" not in given and known.address not in HARMLESS_ADDRESSES:
        raise UserError(
            f"{flag} {known.name!r}: its record at a URL names a Ray cluster, {known.address!r}, which would be sent "
            f"this machine's token and could run code here; give --address {shlex.quote(known.address)} if it is "
            "yours, or --address '' to start Ray here"
        )
    if "storage" not in given and known.storage:
        allowed_url(known.storage)
    return {} if "space" in given else {"space": local_space(known.space, sha256, known.name, flag)}


def options_to_repeat(spec: SearchSpec) -> list[str]:
    """Command-line arguments that name again what a record at a URL is not believed."""
    named = {"--space": spec.space, "--storage": spec.storage}
    if spec.address not in HARMLESS_ADDRESSES:
        named["--address"] = spec.address
    return [word for flag, value in named.items() if value for word in (flag, value)]


def local_space(reference: str, sha256: str, name: str, flag: str = "--resume") -> str:
    """`FILE.py:FUNCTION` of this machine for the `reference` in the record at a URL of search `name`.

    What is run comes from the command line (`--space`), or is a file that lies in the working folder itself, where
    Python finds modules anyway: a job's own package has it there. `sha256` is the recorded digest of the file.

    Raises `UserError`, which asks for `--space`, unless the working folder itself has a file of that name and digest.
    Nothing is run, and the recorded folder is never looked into.
    """
    if not reference:
        return ""
    file, _, function = reference.rpartition(":")
    found = Path.cwd() / Path(file).name
    if sha256 and found.is_file() and not found.is_symlink() and hash_file(f"{found}:{function}") == sha256:
        return f"{found}:{function}"
    call = shlex.quote(f"{Path(file).name}:{function}")
    raise UserError(
        f"{flag} {name!r}: its record at a URL names code to run, {reference!r}; without being named here, only a "
        f"file in the working folder with the recorded SHA-256 ({sha256[:12] or 'none'}) is run: give --space {call}, "
        "with the path that the file has here"
    )
