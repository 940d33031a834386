"""This machine's cache: prepared data, downloads, and copies of remote files, all of which can be made again."""

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
"""Part of the name of a discarded folder until it is deleted."""
Model = TypeVar("Model", bound="BaseModel")


def cache_folder() -> Path:
    """The folder `$SEARCHSPACE_CACHE`, or `~/.cache/searchspace`; it is created if it is missing.

    Files in the cache are trusted, so a folder that another user owns or can write to is refused. Raises `UserError` if
    the variable names such a folder, or one that cannot be written. If the home folder cannot hold a cache, this
    process and its children use a private temporary folder, and a line is printed.
    """
    redirect_library_caches()
    if given := os.environ.get(CACHE_VARIABLE):
        if fault := _fault(Path(given), stat.S_IWOTH):  # Kubernetes volumes are writable for a group of their own
            raise UserError(f"{CACHE_VARIABLE} {given!r}: {fault}; set it to a folder of your own")
        return Path(given).resolve()
    folder = Path(os.path.expanduser("~"), ".cache", "searchspace")
    if fault := _fault(folder, WRITABLE_BY_OTHERS) if folder.is_absolute() else "has no home to be in":
        print_note(f"the cache {str(folder)!r} {fault}; a temporary one is used instead", CACHE_VARIABLE)
        folder = temporary_folder() / "cache"
        folder.mkdir(mode=0o700, exist_ok=True)
        os.environ[CACHE_VARIABLE] = str(folder)
    return folder.resolve()


def _fault(folder: Path, others: int) -> str:
    """Why a folder cannot be the cache, or an empty text; creates the folder if it is missing.

    `others` are the permission bits that make it unsafe.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)  # it will hold decoded images, which may come from a private folder
        found = folder.stat()
    except OSError as error:
        return f"cannot be made ({os.strerror(error.errno or 0)})"
    if found.st_uid not in {os.geteuid(), ROOT_UID}:
        return f"belongs to user {found.st_uid}, not to you"
    if found.st_mode & others:
        return f"is writable for others (mode {stat.S_IMODE(found.st_mode):04o})"
    return "" if os.access(folder, os.W_OK | os.X_OK) else "cannot be written"


def read_cached(file: Path, schema: type[Model]) -> Model | None:
    """Read a record of the cache; None if it is missing or damaged."""
    try:
        return read_record(file, schema)
    except (OSError, DamagedError):
        return None


def write_cached(file: Path, record: "BaseModel") -> None:
    """Write a record to the cache, replacing any file there; errors are ignored, as the cache only saves time."""
    content = record.model_dump_json(indent=1).encode()
    with suppress(OSError, DamagedError):
        try:
            write_file(file, content)
        except (IsADirectoryError, DamagedError):
            remove_tree(file)
            write_file(file, content)


def discard(path: Path) -> None:
    """Rename a file or folder of the cache, so that no process opens it, and delete it; mappings stay valid."""
    aside = path.with_name(f"{path.name}{DISCARDED}{secrets.token_hex(4)}")
    rename(path, aside)
    for each in (aside, *path.parent.glob(f"{path.name}{DISCARDED}*")):  # also what a killed command left behind
        remove_tree(each)
