"""Where this machine keeps what it can have again: stores, downloads, copies of what lies elsewhere."""

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from trainables.common.errors import DamagedError, UserError
from trainables.storage.files import read_record, write_file
from trainables.storage.folders import remove_tree, rename
from trainables.storage.ownership import ROOT_UID, WRITABLE_BY_OTHERS
from trainables.storage.temporary import print_note, redirect_library_caches, temporary_folder

if TYPE_CHECKING:
    from pydantic import BaseModel  # `predict` does without

CACHE_VARIABLE = "SEARCHSPACE_CACHE"
DISCARDED = ".damaged-"
"""In the name of what was moved aside."""
Model = TypeVar("Model", bound="BaseModel")


def cache_folder() -> Path:
    """`$SEARCHSPACE_CACHE`, or `~/.cache/searchspace`; made if it is missing, and no link.

    What lies there is trusted, so a folder that somebody else owns or may write to is not used. Raises `UserError` for
    such a folder in the variable, or one that cannot be written. In a home's place a private temporary folder is taken,
    for this process and those it starts, and a line says so.
    """
    redirect_library_caches()
    if given := os.environ.get(CACHE_VARIABLE):
        if fault := _fault(Path(given), stat.S_IWOTH):  # volumes of Kubernetes are writable for a group of their own
            raise UserError(f"{CACHE_VARIABLE} {given!r}: {fault}; set it to a folder of your own")
        return Path(given).resolve()
    folder = Path(os.path.expanduser("~"), ".cache", "searchspace")
    if fault := _fault(folder, WRITABLE_BY_OTHERS) if folder.is_absolute() else "has no home to be in":
        print_note(f"the cache {str(folder)!r} {fault}; a temporary one stands for it", CACHE_VARIABLE)
        folder = temporary_folder() / "cache"
        folder.mkdir(mode=0o700, exist_ok=True)
        os.environ[CACHE_VARIABLE] = str(folder)
    return folder.resolve()


def _fault(folder: Path, others: int) -> str:
    """Why a folder cannot be the cache; it is made if it is missing. Empty where it can.

    `others` are the bits of its mode that nobody else may have.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)  # decoded images that may lie in a private folder themselves
        found = folder.stat()
    except OSError as error:
        return f"cannot be made ({os.strerror(error.errno or 0)})"
    if found.st_uid not in {os.geteuid(), ROOT_UID}:
        return f"belongs to user {found.st_uid}, not to you"
    if found.st_mode & others:
        return f"is writable for others (mode {stat.S_IMODE(found.st_mode):04o})"
    return "" if os.access(folder, os.W_OK | os.X_OK) else "cannot be written"


def read_cached(file: Path, schema: type[Model]) -> Model | None:
    """The record in a file of the cache; None where there is none, or it is damaged."""
    try:
        return read_record(file, schema)
    except (OSError, DamagedError):
        return None


def write_cached(file: Path, record: "BaseModel") -> None:
    """Write a record for later, in place of whatever lies there; a cache that cannot be written is gone without."""
    content = record.model_dump_json(indent=1).encode()
    with suppress(OSError, DamagedError):
        try:
            write_file(file, content)
        except (IsADirectoryError, DamagedError):
            remove_tree(file)
            write_file(file, content)


def discard(path: Path) -> None:
    """Take a folder, or whatever lies there, out of the way; processes that have it mapped keep what they see."""
    aside = path.with_name(f"{path.name}{DISCARDED}{secrets.token_hex(4)}")
    rename(path, aside)
    for each in (aside, *path.parent.glob(f"{path.name}{DISCARDED}*")):  # also what a killed command left
        remove_tree(each)
