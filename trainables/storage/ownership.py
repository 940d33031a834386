"""Checks that only its owner can write to a search that is resumed.

A search's record names code to run (`--space FILE.py:FUNCTION`) and files to read, so another user who could write
there would act as its owner.
"""

import os
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path

from trainables.common.errors import UserError

WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
ROOT_UID = 0
"""User id of root, who can write anywhere in any case."""


def restrict_to_owner() -> None:
    """Restrict write permission on all files that this process and its children create to the owner."""
    os.umask(os.umask(WRITABLE_BY_OTHERS) | WRITABLE_BY_OTHERS)


def check_owned(folder: Path) -> None:
    """Raise `UserError` if another user owns, or can write to, `folder` or anything in it."""
    whole = shlex.quote(str(folder))
    for path in _everything(folder.resolve()):
        try:
            found = path.stat()
        except FileNotFoundError:
            continue  # a broken link, or deleted meanwhile
        except OSError as error:  # such as a link to itself
            raise UserError(f"{str(path)!r}: cannot be looked at ({error.strerror})") from error
        if found.st_uid not in {os.getuid(), ROOT_UID}:
            raise UserError(
                f"{str(path)!r}: belongs to user {found.st_uid}, not to you; resume only your own searches, "
                f"or if you trust it: chown -R {os.getuid()} {whole}"
            )
        if found.st_mode & WRITABLE_BY_OTHERS:
            raise UserError(
                f"{str(path)!r}: others can write to it (mode {stat.S_IMODE(found.st_mode):04o}); "
                f"if you trust what is there: chmod -R go-w {whole}"
            )


def _everything(folder: Path) -> Iterator[Path]:
    """`folder` and everything below it; links to folders are not followed."""
    yield folder
    for place, folders, files in os.walk(folder):
        yield from (Path(place, name) for name in (*folders, *files))
