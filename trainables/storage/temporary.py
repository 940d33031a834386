"""A private temporary folder of this process and those it starts, for what has no place elsewhere."""

import atexit
import os
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from trainables.common.errors import UserError
from trainables.common.sanitized_text import printable

TEMPORARY_VARIABLE = "SEARCHSPACE_TEMPORARY"
"""Environment variable: number of the process that removes the folder, a space, and the folder."""
USER_NAME_VARIABLES = ("LOGNAME", "USER", "LNAME", "USERNAME")
"""Variables that Python looks for a user's name in, before the system's list of users."""
LIBRARY_FOLDERS = {
    "TORCH_HOME": ".cache/torch",
    "HF_HUB_CACHE": ".cache/huggingface/hub",
    "MPLCONFIGDIR": ".config/matplotlib",
}
"""Folders below a home that libraries write to, by the variable that names another one."""


def temporary_folder() -> Path:
    """The folder, mode 0700; made on the first call, and removed when the process that made it ends."""
    owner, _, path = os.environ.get(TEMPORARY_VARIABLE, "").partition(" ")
    if not os.path.isdir(path):
        try:
            path = tempfile.mkdtemp(prefix="searchspace-")
        except OSError as error:
            raise UserError(f"no temporary folder can be made ({error}); set TMPDIR to a folder of your own") from error
        owner = str(os.getpid())
        os.environ[TEMPORARY_VARIABLE] = f"{owner} {path}"
        atexit.register(_remove, path, os.getpid())
    return Path(path)


def ensure_home() -> None:
    """See to it that there is a home folder and a user's name, as libraries take for granted; call it first.

    Where there is none (no `HOME` and no entry in the list of users, or a folder that does not exist), the private
    temporary folder stands for it, for this process and those it starts, and a line says so.
    """
    owner, _, path = os.environ.get(TEMPORARY_VARIABLE, "").partition(" ")
    if owner == str(os.getpid()):  # the program was replaced by itself
        atexit.register(_remove, path, os.getpid())
    home = os.path.expanduser("~")
    if not os.path.isabs(home) or not os.path.isdir(home):
        os.environ["HOME"] = str(temporary_folder())
        print_note(f"there is no home folder ({home!r}); a temporary one stands for it", "HOME and SEARCHSPACE_CACHE")
    if not any(os.environ.get(name) for name in USER_NAME_VARIABLES) and not _has_name():
        os.environ["LOGNAME"] = f"uid-{os.getuid()}"


def redirect_library_caches() -> None:
    """Let libraries keep downloads and settings elsewhere, where they have no folder in a home that takes nothing."""
    for variable, below in LIBRARY_FOLDERS.items():
        if variable not in os.environ and not _can_be_made(Path(os.path.expanduser("~"), below)):
            os.environ[variable] = str(temporary_folder() / variable.lower())


def _can_be_made(folder: Path) -> bool:
    """Whether a folder is there, as a cache that was filled may be, or can be."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    return there == folder or (folder.is_absolute() and os.access(there, os.W_OK | os.X_OK))


def print_note(what: str, variables: str) -> None:
    """Say on standard error that something is temporary, and what to set to keep it."""
    with suppress(OSError, ValueError, AttributeError):
        line = f"note: {what}, removed at the end; set {variables} to keep what is cached"
        sys.stderr.write(f"{printable(line)}\n")
        sys.stderr.flush()


def _has_name() -> bool:
    import pwd

    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        return False
    return True


def _remove(path: str, owner: int) -> None:
    if os.getpid() == owner:  # a fork has this, too
        shutil.rmtree(path, ignore_errors=True)
