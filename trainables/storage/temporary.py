"""A private temporary folder for this process and its children."""

import atexit
import os
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from trainables.common.errors import UserError
from trainables.common.escaping import printable

TEMPORARY_VARIABLE = "SEARCHSPACE_TEMPORARY"
"""Environment variable: id of the process that removes the folder, a space, and the folder."""
USER_NAME_VARIABLES = ("LOGNAME", "USER", "LNAME", "USERNAME")
"""Environment variables in which Python looks for the user's name, before the system's list of users."""
LIBRARY_FOLDERS = {
    "TORCH_HOME": ".cache/torch",
    "HF_HUB_CACHE": ".cache/huggingface/hub",
    "MPLCONFIGDIR": ".config/matplotlib",
}
"""Folders in the home folder that libraries write to, by the environment variable that moves them."""


def temporary_folder() -> Path:
    """The folder, with mode 0700; created on the first call, and removed when the process that created it ends."""
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
    """Make sure that a home folder and a user name exist, as libraries expect; call it first.

    If there is no home folder (no `HOME` and no entry in the list of users, or it does not exist), the temporary folder
    is used instead, for this process and its children, and a line is printed.
    """
    owner, _, path = os.environ.get(TEMPORARY_VARIABLE, "").partition(" ")
    if owner == str(os.getpid()):  # the process replaced itself by exec
        atexit.register(_remove, path, os.getpid())
    home = os.path.expanduser("~")
    if not os.path.isabs(home) or not os.path.isdir(home):
        os.environ["HOME"] = str(temporary_folder())
        print_note(f"there is no home folder ({home!r}); a temporary one is used instead", "HOME and SEARCHSPACE_CACHE")
    if not any(os.environ.get(name) for name in USER_NAME_VARIABLES) and not _has_name():
        os.environ["LOGNAME"] = f"uid-{os.getuid()}"


def redirect_library_caches() -> None:
    """Point libraries to temporary folders for downloads and settings if the home folder is not writable."""
    for variable, below in LIBRARY_FOLDERS.items():
        if variable not in os.environ and not _can_be_made(Path(os.path.expanduser("~"), below)):
            os.environ[variable] = str(temporary_folder() / variable.lower())


def _can_be_made(folder: Path) -> bool:
    """Whether a folder exists, or can be created."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    return there == folder or (folder.is_absolute() and os.access(there, os.W_OK | os.X_OK))


def print_note(what: str, variables: str) -> None:
    """Print to standard error that something is temporary, and what to set to keep it."""
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
    if os.getpid() == owner:  # forked processes inherit this, too
        shutil.rmtree(path, ignore_errors=True)
