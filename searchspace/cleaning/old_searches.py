"""Searches in a results folder: how large they are, when they were worked on last, and whether they may go."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from searchspace.cleaning.cache_items import Usage, measure
from searchspace.storage.folder_contents import FolderContents, classify_contents, names_in
from searchspace.storage.lease import LeaseHolder
from searchspace.storage.open_results import GANG_FOLDERS
from searchspace.storage.search_lock import hold_lock, is_locked
from trainables.common.errors import UserError
from trainables.storage.files import read_record
from trainables.storage.folders import remove_tree
from trainables.storage.search_storage import LEASE

LEASE_VOID_S = 600.0
"""Seconds without renewal after which a lease is void for certain, also where clocks differ."""


@dataclass(frozen=True)
class OldSearch:
    """A search in a results folder."""

    folder: Path
    """Its folder."""
    usage: Usage
    """What would go: all of it, or the folders of its trials."""
    changed: float
    """When it was worked on last, in seconds since 1970."""
    parts: tuple[Path, ...]
    """What would be deleted."""
    kept_why: str
    """Why it may not go now; empty where it may."""


def find_old_searches(results: Path, keep_winners: bool) -> list[OldSearch]:
    """The searches in the folder `results`, and what is left of commands that ended before theirs began.

    With `keep_winners` only the folders of trials would go, with their checkpoints: winner, study and report stay.
    Raises `UserError` where there is no such folder.
    """
    if not results.is_dir():
        raise UserError(f"--results {str(results)!r}: is no folder of searches")
    folders = [path for path in sorted(results.iterdir()) if path.is_dir() and not path.is_symlink()]
    return [_describe(folder.absolute(), keep_winners) for folder in folders if _is_search(folder)]


def _is_search(folder: Path) -> bool:
    names = names_in(folder)
    return bool(names) and classify_contents(names) != FolderContents.OTHERS


def _describe(folder: Path, keep_winners: bool) -> OldSearch:
    parts = tuple(path for name in GANG_FOLDERS if (path := folder / name).is_dir()) if keep_winners else (folder,)
    usages = [measure(part) for part in parts]
    changed = max([path.lstat().st_mtime for path in folder.iterdir()], default=folder.stat().st_mtime)
    usage = Usage(sum(usage.size for usage in usages), changed)
    return OldSearch(folder, usage, changed, parts, find_user(folder))


def find_user(folder: Path) -> str:
    """Who works on a search or owns it, so that it may not go; an empty text where it may."""
    if folder.stat().st_uid != os.getuid():
        return f"belongs to user {folder.stat().st_uid}"
    try:
        if is_locked(folder):
            return "is running"
        holder = read_record(folder / LEASE, LeaseHolder)
        if not holder.released and time.time() - (folder / LEASE).stat().st_mtime < LEASE_VOID_S:
            return f"is running on {holder.host}"
    except FileNotFoundError:
        return ""
    except (OSError, UserError) as error:
        return f"cannot be looked into ({error})"
    return ""


def remove_search(search: OldSearch) -> None:
    """Delete the parts of a search, which no other command can begin to work on meanwhile.

    Raises `UserError` where another command has begun to.
    """
    with hold_lock(search.folder):
        for part in search.parts:
            remove_tree(part)
