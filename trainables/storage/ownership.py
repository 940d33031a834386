"""Who may write what a search goes on from: its owner, and nobody else.

Its record names code to run (`--space FILE.py:FUNCTION`) and files to read, so whoever writes there acts as its owner.
"""

import os
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path

from trainables.common.errors import UserError

WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
ROOT_UID = 0
"""May write anywhere anyway, so what belongs to it is no worse than what is one's own."""


def restrict_to_owner() -> None:
    """Let nobody but the owner write what this process and its children make from here on, whatever the umask was."""
    os.umask(os.umask(WRITABLE_BY_OTHERS) | WRITABLE_BY_OTHERS)


def check_owned(folder: Path) -> None:
    """Raise `UserError` if anyone else may write to `folder`, or to anything in it, or owns any of it."""
    whole = shlex.quote(str(folder))
    for path in _everything(folder.resolve()):
        try:
            found = path.stat()
        except FileNotFoundError:
            continue  # a link to nothing, or gone since
        except OSError as error:  # such as a link to itself
            raise UserError(f"{str(path)!r}: cannot be looked at ({error.strerror})") from error
        if found.st_uid not in {os.getuid(), ROOT_UID}:
            raise UserError(
                f"{str(path)!r}: belongs to user {found.st_uid}, not to you; go on from your own searches only, "
                f"or if you trust it: chown -R {os.getuid()} {whole}"
            )
        if found.st_mode & WRITABLE_BY_OTHERS:
            raise UserError(
                f"{str(path)!r}: others can write to it (mode {stat.S_IMODE(found.st_mode):04o}); "
                f"if you trust what is there: chmod -R go-w {whole}"
            )


def _everything(folder: Path) -> Iterator[Path]:
    """`folder` and all below it; a link stands for what it leads to, and is not followed further."""
    yield folder
    for place, folders, files in os.walk(folder):
        yield from (Path(place, name) for name in (*folders, *files))
