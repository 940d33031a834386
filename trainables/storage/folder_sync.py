"""Synchronises a local folder with its copy at a URL, by the files that changed; does nothing without a URL."""

import errno
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path, PurePosixPath

from trainables.config import CHECKPOINTS
from trainables.storage.folders import files_below, list_folder, remove_file, remove_tree, stat_path
from trainables.storage.object_store.guarded_uploads import GuardedUploads
from trainables.storage.object_store.remote import PARTIAL, Remote, RemoteFile, join_url
from trainables.storage.object_store.storage_retry import retry_transient
from trainables.storage.search_storage import LEASE, SearchStorage

FileStamp = tuple[int, int]
"""Size in bytes and time of change in nanoseconds, by which a changed file is detected."""
FileFilter = Callable[[str], bool]
"""Whether to copy the file of this name."""
NEVER_SYNCED = ("gangs", "search.lock", "search.holder", LEASE)
"""Names in a search's folder or URL that belong to one machine and are never copied."""
RECORD, JOURNAL_SUFFIX = "search.json", ".journal"
"""The search's record, and the suffix of its study's journal: the files that a search cannot do without."""
PARALLEL_DOWNLOADS = 16
"""Files that are downloaded at a time; most of the time of a small file is latency."""
SYNC_RETRY_S = 120.0
"""Seconds that `retry_sync` retries."""


def all_files(_name: str) -> bool:
    """Accept every file."""
    return True


def without_checkpoints(name: str) -> bool:
    """Accept every file except checkpoints, which only gangs read."""
    return CHECKPOINTS not in PurePosixPath(name).parts


class FolderSync:
    """Synchronises a folder with its remote copy: `pull` and `push` copy what changed since the last of either."""

    def __init__(self, storage: SearchStorage) -> None:
        """Synchronise the folder of `storage`; without a URL, all methods do nothing."""
        self.storage, self.folder = storage, Path(storage.folder)
        self._remote = Remote.open(storage.url) if storage.url else None
        self._known: dict[str, FileStamp] = {}
        self._lock = threading.RLock()
        self._uploads: Remote | GuardedUploads | None = self._remote

    def guard_uploads(self, uploads: GuardedUploads) -> None:
        """Make all later changes of the remote copy through `uploads`."""
        self._uploads = uploads

    def pull(self, wanted: FileFilter = all_files, part: str = "") -> None:
        """Download the wanted files that differ, of the whole remote copy or of its folder `part`; raises OSError.

        Files that exist only locally stay, and so do local changes since the last synchronisation.
        """
        if self._remote is None:
            return
        remote = Remote.open(join_url(self._remote.url, part))

        def bring(found: tuple[str, RemoteFile]) -> None:
            name, entry = found
            whole = "/".join(filter(None, (part, name)))
            known, file = self._known.get(whole), self.folder / whole
            if wanted(whole) and _is_synced(whole) and (known is None or known == _stamp(file)):
                stamp = entry.size, entry.changed
                self._known[whole] = retry_transient(partial(_fetch, remote, name, file, stamp))

        with self._lock, ThreadPoolExecutor(PARALLEL_DOWNLOADS) as threads:
            list(threads.map(bring, retry_transient(remote.list).items()))

    def push(self) -> None:
        """Upload the files that changed locally, and delete remotely those that were deleted locally; raises OSError.

        Files that refer to others come after them: JSON files, then the study's journal, last the search's record. Only
        files that this object copied before are deleted, since gangs write to the remote copy, too. If the local folder
        or its record or journal is missing, this raises OSError and deletes nothing.
        """
        uploads = self._uploads
        if uploads is None:
            return
        with self._lock:
            found = {name: _stamp(path) for name, path in files_below(self.folder) if _is_synced(name)}
            for name in sorted(found, key=_upload_order):
                stamp = found[name]
                if stamp is not None and stamp != self._known.get(name):
                    retry_transient(partial(self._send, uploads, name, stamp))
            for name in self._find_deleted(found):
                retry_transient(partial(uploads.delete, name))
                del self._known[name]

    def _find_deleted(self, found: Collection[str]) -> list[str]:
        """Names of known files that were deleted locally; raises FileNotFoundError if their folder is unavailable."""
        gone = [name for name in self._known if name not in found and stat_path(self.folder / name) is None]
        if gone and (
            stat_path(self.folder) is None or any(name == RECORD or name.endswith(JOURNAL_SUFFIX) for name in gone)
        ):
            raise FileNotFoundError(errno.ENOENT, "is gone, or is being deleted; put it back", str(self.folder))
        return gone

    def _send(self, uploads: Remote | GuardedUploads, name: str, stamp: FileStamp) -> None:
        file = self.folder / name
        try:
            uploads.send(file, name, stamp[0])
        except FileNotFoundError:
            if file.exists():
                raise
            return  # deleted meanwhile
        self._known[name] = stamp

    def prefer_local(self) -> None:
        """Treat the local folder as newer: the next push makes the remote copy equal, except for gangs' files."""
        if self._remote is None:
            return
        with self._lock:
            theirs = {name for name in retry_transient(self._remote.list) if _is_synced(name)}
            self._known = {name: (-1, -1) for name in theirs if not name.startswith("trials/")}
            self._known = {name: stamp for name, stamp in self._known.items() if without_checkpoints(name)}

    def remove_unknown(self) -> int:
        """Delete the local files that were not synchronised; returns the number of files left."""
        for name, path in files_below(self.folder):
            if self._remote is not None and name not in self._known:
                remove_file(path)
        return len(self._known)

    def remove_partial_uploads(self) -> None:
        """Delete unfinished uploads from the remote copy; only the process that writes there may call this."""
        if self._remote is None:
            return
        for name in self._remote.list():
            if name.endswith(PARTIAL) and not name.startswith("trials/"):
                self._remote.delete(name)

    def prefer_remote(self, wanted: FileFilter) -> None:
        """Treat the remote copy as newer: delete the local files and download the wanted ones."""
        if self._remote is None:
            return
        for name in list_folder(self.folder):
            if name not in NEVER_SYNCED:
                remove_tree(self.folder / name)
                if stat_path(self.folder / name):
                    raise OSError(f"{str(self.folder / name)!r} cannot be removed")
        self.pull(wanted)


def retry_sync(move: Callable[[], None]) -> None:
    """Call a pull or push until it succeeds, for `SYNC_RETRY_S` seconds; then raises its OSError."""
    deadline = time.monotonic() + SYNC_RETRY_S
    while True:
        try:
            return move()
        except OSError:
            if time.monotonic() > deadline:
                raise
        time.sleep(1.0)


def _fetch(remote: Remote, name: str, file: Path, stamp: FileStamp) -> FileStamp:
    """Download a file unless it is up to date, with the remote time of change, by which it is recognised later."""
    if _stamp(file) != stamp:
        remote.fetch(name, file, changed=stamp[1])
    return stamp


def _stamp(file: Path) -> FileStamp | None:
    found = stat_path(file)
    return (found.st_size, found.st_mtime_ns) if found else None


def _upload_order(name: str) -> tuple[bool, bool, bool, str]:
    return name == RECORD, name.endswith(JOURNAL_SUFFIX), name.endswith(".json"), name


def _is_synced(name: str) -> bool:
    return PurePosixPath(name).parts[0] not in NEVER_SYNCED and not name.endswith((PARTIAL, ".lock"))
