"""A folder here and its twin at a URL, kept in step by what changed; where there is no URL, the folder alone."""

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
"""Size and time of change, by which a changed file is known."""
FileFilter = Callable[[str], bool]
"""Says by its name whether a file is wanted."""
NEVER_SYNCED = ("gangs", "search.lock", "search.holder", LEASE)
"""What in a search's folder, or at its URL, is never moved: each is about one machine."""
RECORD, JOURNAL_SUFFIX = "search.json", ".journal"
"""A search's record, and how the name of its study's journal ends: what a search is nothing without."""
PARALLEL_DOWNLOADS = 16
"""Files that are fetched at a time: most of a small one's time is waiting."""
SYNC_RETRY_S = 120.0
"""Seconds that storage may fail where a search cannot go on without it."""


def all_files(_name: str) -> bool:
    """All files are wanted."""
    return True


def without_checkpoints(name: str) -> bool:
    """All but the checkpoints, which only gangs read."""
    return CHECKPOINTS not in PurePosixPath(name).parts


class FolderSync:
    """Brings a folder and its twin in step: `pull` and `push` move what changed since the last of either."""

    def __init__(self, storage: SearchStorage) -> None:
        """Of a home; where that has no URL, nothing is ever moved."""
        self.storage, self.folder = storage, Path(storage.folder)
        self._remote = Remote.open(storage.url) if storage.url else None
        self._known: dict[str, FileStamp] = {}
        self._lock = threading.RLock()
        self._uploads: Remote | GuardedUploads | None = self._remote

    def guard_uploads(self, uploads: GuardedUploads) -> None:
        """From now on change the twin only as `uploads` allows."""
        self._uploads = uploads

    def pull(self, wanted: FileFilter = all_files, part: str = "") -> None:
        """Copy here what is wanted and differs, of the whole twin or a folder of it; raises OSError.

        Files that are here alone stay, and so does what changed here since the last of either.
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
        """Copy to the twin what changed here, and delete there what went; raises OSError.

        What tells of others comes after them, and as it is when this begins: JSON files, then a study's journal. Last
        comes the search's record, without which nothing was begun.
        Only what was moved by this sync before is ever deleted: others, such as gangs, leave files there too. Where
        the folder here is gone, or what a search is nothing without, that is an OSError, and the twin stays as it is.
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
        """Names of what was here and was deleted since, rather than is out of reach with its folder."""
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
            return  # gone meanwhile
        self._known[name] = stamp

    def prefer_local(self) -> None:
        """Take the folder here for the newer one: the next push makes the twin like it, but for what gangs own."""
        if self._remote is None:
            return
        with self._lock:
            theirs = {name for name in retry_transient(self._remote.list) if _is_synced(name)}
            self._known = {name: (-1, -1) for name in theirs if not name.startswith("trials/")}
            self._known = {name: stamp for name, stamp in self._known.items() if without_checkpoints(name)}

    def remove_unknown(self) -> int:
        """Delete here what was moved neither way; returns how many files are left."""
        for name, path in files_below(self.folder):
            if self._remote is not None and name not in self._known:
                remove_file(path)
        return len(self._known)

    def remove_partial_uploads(self) -> None:
        """Delete at the twin what somebody began to upload and never ended; only its writer may do so."""
        if self._remote is None:
            return
        for name in self._remote.list():
            if name.endswith(PARTIAL) and not name.startswith("trials/"):
                self._remote.delete(name)

    def prefer_remote(self, wanted: FileFilter) -> None:
        """Take the twin for the newer one: what is here goes, and what is wanted of the twin comes."""
        if self._remote is None:
            return
        for name in list_folder(self.folder):
            if name not in NEVER_SYNCED:
                remove_tree(self.folder / name)
                if stat_path(self.folder / name):
                    raise OSError(f"{str(self.folder / name)!r} cannot be removed")
        self.pull(wanted)


def retry_sync(move: Callable[[], None]) -> None:
    """Pull or push, and try again for a while; raises the OSError that stays."""
    deadline = time.monotonic() + SYNC_RETRY_S
    while True:
        try:
            return move()
        except OSError:
            if time.monotonic() > deadline:
                raise
        time.sleep(1.0)


def _fetch(remote: Remote, name: str, file: Path, stamp: FileStamp) -> FileStamp:
    """Copy a file here, unless it is here; its time is the twin's, so that it is known again."""
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
