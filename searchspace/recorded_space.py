"""The space file of a search that goes on from a URL: named by a record that others may have written.

Whoever may write at the URL chooses the path, the digest and the function that `search.json` names, so none of them is
a reason to run a file. What is run comes from the command line (`--space`), or is a file that lies in the working
folder itself, where Python finds modules anyway: a job's own package has it there.
"""

import shlex
from pathlib import Path

from searchspace.space_file import hash_file
from trainables.errors import UserError


def local_space(reference: str, sha256: str, name: str) -> str:
    """`FILE.py:FUNCTION` of this machine for the `reference` in the record at a URL of search `name`.

    `sha256` is the recorded digest of the file. Raises `UserError`, which asks for `--space`, unless the working folder
    itself has a file of that name and digest. Nothing is run, and the recorded folder is never looked into.
    """
    if not reference:
        return ""
    file, _, function = reference.rpartition(":")
    found = Path.cwd() / Path(file).name
    if sha256 and found.is_file() and not found.is_symlink() and hash_file(f"{found}:{function}") == sha256:
        return f"{found}:{function}"
    call = shlex.quote(f"{Path(file).name}:{function}")
    raise UserError(
        f"--resume {name!r}: its record at a URL names code to run, {reference!r}; without being named here, only a "
        f"file in the working folder with the recorded SHA-256 ({sha256[:12] or 'none'}) is run: give --space {call}, "
        "with the path that the file has here"
    )
