"""Recognises errors of writing a file, such as a full disk."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

WRITE_ONLY_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}
"""Errors that only occur when writing."""
PERMISSION_ERRORS = {errno.EACCES, errno.EPERM}
"""Errors of missing permission, to read or to write."""


def is_about(error: OSError, place: Path) -> bool:
    """Whether an error concerns `place`, its content or its parents; an error without a path may."""
    if error.filename is None:
        return error.errno in WRITE_ONLY_ERRORS
    named = Path(os.path.abspath(os.fsdecode(error.filename)))
    return named == place or place in named.parents or named in place.parents


def find_write_error(error: BaseException, folder: Path) -> OSError | None:
    """The write error that caused `error`: a full disk, or no permission in `folder`; None if there is none."""
    for each in _causes(error):
        if isinstance(each, OSError) and (
            each.errno in WRITE_ONLY_ERRORS
            or (each.errno in PERMISSION_ERRORS and each.filename is not None and is_about(each, folder))
        ):
            return each
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An exception and its causes, the last first."""
    seen = set[int]()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = found.__cause__ or found.__context__
