"""The contents of a folder or URL: a search, leftovers of a search that never began, or other files."""

import sys
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path, PurePosixPath

from searchspace.cli.output import print_lines
from searchspace.storage.lease import HOLDER_FILE
from searchspace.storage.search_folder import CODE, JOURNAL, SEARCH_LOG, SEARCH_RECORD
from searchspace.storage.search_lock import LOCK_FILE
from trainables.common.errors import UserError
from trainables.data.copies.copy_pictures import COPY_PICTURES
from trainables.data.copies.leaked_images import LEAKED_IMAGES
from trainables.data.decoding.bad_images import BAD_IMAGES
from trainables.data.layouts.left_out import LEFT_OUT
from trainables.data.store.group_summary import SHARED_GROUPS
from trainables.storage.object_store.remote import Remote, format_storage_error, is_url, join_url, open_remote
from trainables.storage.search_storage import LEASE

DRAFT_FILE = "search.draft"
"""File with the identity of a search that is being created; its record replaces it."""
LEFTOVERS = (
    LOCK_FILE, LEASE, HOLDER_FILE, DRAFT_FILE, SEARCH_LOG, JOURNAL, f"{JOURNAL}.lock",
    CODE, BAD_IMAGES, LEAKED_IMAGES, COPY_PICTURES, LEFT_OUT, SHARED_GROUPS,
)  # fmt: skip
"""Files that a command leaves if it ends before its search is created."""
TEMPORARY_SUFFIXES = (".partial", ".rename")
"""Suffixes of files that were being written, and of journal locks that were being released."""


class FolderContents(StrEnum):
    """The kind of contents stored under the name of a search."""

    NOTHING = "nothing"
    """The name is free: nothing, or leftovers of a search that never began."""
    SEARCH = "search"
    """A search: its record is there."""
    OTHERS = "others"
    """Other files."""


def classify_contents(names: Iterable[str]) -> FolderContents:
    """The contents of a folder that holds files of these names, relative to it."""
    found = set(names)
    if SEARCH_RECORD in found:
        return FolderContents.SEARCH
    return FolderContents.OTHERS if foreign_names(found) else FolderContents.NOTHING


def foreign_names(names: Iterable[str]) -> list[str]:
    """The names that are not leftovers of a search, sorted."""
    return sorted(name for name in names if name not in LEFTOVERS and not _is_temporary(name))


def names_in(folder: Path) -> list[str]:
    """Names directly in a folder, sorted; `.` where something else than a folder is there, empty where nothing is."""
    if folder.is_dir():
        return sorted(path.name for path in folder.iterdir())
    return ["."] if folder.is_symlink() or folder.exists() else []


def names_at(url: str, results: str) -> list[str]:
    """Names directly below a URL in `results`, sorted; raises `UserError` where it cannot be reached."""
    try:
        return sorted({PurePosixPath(name).parts[0] for name in Remote.open(url).list()})
    except OSError as error:
        raise UserError(f"--results {results!r}: {format_storage_error(error)}") from error


def _is_temporary(name: str) -> bool:
    """Whether it is an incomplete copy of one of these files, or a rest of Optuna's lock on the journal."""
    return name.endswith(TEMPORARY_SUFFIXES) and name.startswith((".", SEARCH_RECORD, *LEFTOVERS))


def is_begun(results: str, name: str) -> bool:
    """Whether search `name` exists below `results`, a folder or URL; raises `UserError` where that cannot be read."""
    if not is_url(results):
        return classify_contents(names_in(Path(results) / name)) == FolderContents.SEARCH
    open_remote("--results", results)
    return classify_contents(names_at(join_url(results, name), results)) == FolderContents.SEARCH


def main(results: str, name: str) -> None:
    """Print `begun` if search NAME exists below RESULTS, a folder or URL, else `new`; for the cluster's scripts."""
    print_lines("begun" if is_begun(results, name) else "new")
    sys.stdout.flush()


if __name__ == "__main__":
    from searchspace.cli.command import run_command

    run_command(main)
