"""Local read-only copies of the files at a URL."""

import hashlib
from pathlib import Path

from filelock import FileLock

from trainables.common.errors import UserError
from trainables.storage.cache import cache_folder
from trainables.storage.folder_sync import FileFilter, FolderSync, all_files
from trainables.storage.folders import make_folder
from trainables.storage.object_store.remote import format_storage_error, is_file_name, open_remote
from trainables.storage.search_storage import SearchStorage


def local_copy_folder(kind: str, url: str) -> Path:
    """Folder in this machine's cache for a copy of `url`, named like it; each `kind` of copy has its own.

    Its parent is named by a digest of the whole URL, so that no two URLs share a copy. Raises ValueError for a URL that
    does not end in a name.
    """
    base, _, query = url.partition("?")
    base = base.rstrip("/")
    name = base.rpartition("/")[2]
    if not is_file_name(name):
        raise ValueError(f"{url!r}: ends in no name")
    return cache_folder() / kind / hashlib.blake2b(f"{base}?{query}".encode(), digest_size=16).hexdigest() / name


def fetch_copy(option: str, url: str, kind: str, missing: str, wanted: FileFilter = all_files) -> FolderSync:
    """Update the cached copy of this `kind` to the `wanted` files at `url`; other files are removed from it.

    Only changed files are downloaded, by one process at a time. Raises `UserError`, naming `option`, for a URL that
    cannot be read; its text is `missing` if there are no files.
    """
    open_remote(option, url)
    sync = FolderSync(SearchStorage(folder=str(local_copy_folder(kind, url)), url=url))
    make_folder(sync.folder)
    try:
        with FileLock(str(sync.folder) + ".lock"):
            sync.pull(wanted)
            found = sync.remove_unknown()
    except OSError as error:
        raise UserError(f"{option} {url!r}: {format_storage_error(error)}") from error
    if not found:
        raise UserError(f"{option} {url!r}: {missing}")
    return sync
