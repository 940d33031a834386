"""Which errors say that a file cannot be written: where somebody waits for it, no other cause is to be looked for."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

WRITE_ONLY_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}
"""Errors that only writing has."""
PERMISSION_ERRORS = {errno.EACCES, errno.EPERM}
"""Errors of writing, and of reading."""


def is_about(error: OSError, place: Path) -> bool:
    """Whether an error is of `place`, of what lies in it or of a folder around it; one without a path may be."""
    if error.filename is None:
        return error.errno in WRITE_ONLY_ERRORS
    named = Path(os.path.abspath(os.fsdecode(error.filename)))
    return named == place or place in named.parents or named in place.parents


def find_write_error(error: BaseException, folder: Path) -> OSError | None:
    """The error of writing that led to `error`: no room anywhere, or what may not be written in `folder`; else None."""
    for each in _causes(error):
        if isinstance(each, OSError) and (
            each.errno in WRITE_ONLY_ERRORS
            or (each.errno in PERMISSION_ERRORS and each.filename is not None and is_about(each, folder))
        ):
            return each
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what it came of, the last first."""
    seen = set[int]()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = found.__cause__ or found.__context__
