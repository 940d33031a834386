"""Shares a finished store at a URL: uploaded once by the command that prepared it, downloaded once by each other node.

A copy is named by its fingerprint and checked completely after the download, so that a wrong copy is never used.
"""

import logging
import re
from pathlib import Path

import numpy as np
from filelock import FileLock

from trainables.common.errors import UserError
from trainables.data.copies.copy_pictures import COPY_PICTURES
from trainables.data.decoding.stored_size import MAX_ASPECT, STORED_SIDE
from trainables.data.store.data_summary import DataSummary
from trainables.data.store.file_digests import (
    DIGESTS_FILE,
    FolderDigests,
    compute_digests,
    find_damage,
    read_digests,
    write_digests,
)
from trainables.data.store.image_columns import COLUMNS, column_file
from trainables.data.store.store_arrays import compute_fingerprint
from trainables.storage.cache import cache_folder, discard
from trainables.storage.files import parse_json
from trainables.storage.folder_sync import FolderSync
from trainables.storage.folders import files_below
from trainables.storage.object_store.remote import Remote, RemoteFile, format_storage_error, join_url
from trainables.storage.search_storage import SearchStorage

logger = logging.getLogger(__name__)

SHARED_STORES = "stores"
"""Folder at the results' URL."""
FETCHED_FOLDER = "fetched"
"""Folder in the cache for downloaded stores."""
SUMMARY_FILE = "summary.json"
"""File of a store that is uploaded last, so that its presence shows that the copy is complete."""
WHOLE_FILES = ("sizes.npy", "test/sizes.npy")
"""Files of a store of whole images."""
ARRAY_FILES = ("images.npy", "labels.npy", "test/images.npy", "test/labels.npy")
COLUMN_FILES = {
    f"{part}{column_file(name)}": (part, default.itemsize)
    for part in ("", "test/")
    for name, default in COLUMNS.items()
}
"""Files that a store may have: part of the store, and bytes of an image's value."""
RECORD_FILES = ("test/origins.json", "bad-images.csv", "leaked-images.csv", COPY_PICTURES, DIGESTS_FILE, SUMMARY_FILE)
SIZE_BYTES = 8
"""Bytes of an image's height and width."""
MAX_RECORD_BYTES = 1 << 30
"""Maximum size of a record that is downloaded, in bytes."""
MAX_HEADER_BYTES = 4096
"""Maximum size of the header of an array's file, in bytes."""


def share_store(data: DataSummary, results: str) -> DataSummary:
    """Upload the store of `data` below the URL `results`, unless it is there; returns the summary with its URL.

    Raises `UserError` if that fails.
    """
    store = Path(data.path)
    url = join_url(results, SHARED_STORES, f"{store.name}-{data.fingerprint}")
    try:
        remote, contents = Remote.open(url), read_digests(store)
        if not _is_uploaded(remote, contents):
            logger.info(f"sharing {data.name}: its store goes to {url}, once")
            remote.delete(SUMMARY_FILE)
            shared = {*ARRAY_FILES, *WHOLE_FILES, *COLUMN_FILES, *RECORD_FILES}
            wanted = [(name, file) for name, file in files_below(store) if name in shared]
            for name, file in sorted(wanted, key=lambda found: found[0] == SUMMARY_FILE):
                remote.send(file, name, file.stat().st_size)
    except OSError as error:
        raise UserError(f"--results {results!r}: {format_storage_error(error)}") from error
    return data.model_copy(update={"shared": url})


def _is_uploaded(remote: Remote, contents: FolderDigests) -> bool:
    """Whether the remote files have the same sizes and digests as the store."""
    found = remote.list()
    sizes = {name: found[name].size for name in contents.files if name in found}
    if SUMMARY_FILE not in found or sizes != {name: file.size for name, file in contents.files.items()}:
        return False
    try:
        theirs = parse_json(Path(DIGESTS_FILE), remote.read(DIGESTS_FILE) or b"", FolderDigests)
    except UserError:
        return False
    return theirs.has_same_content(contents)


def fetch_store(data: DataSummary) -> DataSummary:
    """Download a shared store once for this node and check it completely; returns the summary of the local copy.

    Raises `UserError` if it holds other data, or OSError.
    """
    if not re.fullmatch(r"[0-9a-f]{32}", data.fingerprint):
        raise UserError(f"the fingerprint of {data.name!r} is none: {data.fingerprint[:40]!r}")
    folder = cache_folder() / FETCHED_FOLDER / data.fingerprint
    folder.parent.mkdir(exist_ok=True)
    with FileLock(str(folder) + ".lock"):
        if find_damage(folder):
            if folder.is_symlink() or folder.exists():
                discard(folder)
            _fetch(data, folder)
    return data.model_copy(update={"path": str(folder)})


def _fetch(data: DataSummary, folder: Path) -> None:
    beside = folder.with_name(folder.name + ".fetching")
    beside.mkdir(exist_ok=True)
    wanted = _files_to_fetch(data, Remote.open(data.shared).list())
    FolderSync(SearchStorage(folder=str(beside), url=data.shared)).pull(wanted.__contains__)
    wrong = _find_mismatch(data, beside, wanted)
    if wrong:
        discard(beside)
        raise UserError(
            f"{data.shared}: is not the store of {data.name!r} ({wrong}), and nothing of it is used; "
            "delete it there, and --resume uploads it again"
        )
    write_digests(beside, compute_digests(beside, wanted - {DIGESTS_FILE}))
    beside.rename(folder)


def _files_to_fetch(data: DataSummary, found: dict[str, RemoteFile]) -> set[str]:
    """Names of the store's files to download, except files that are larger than they can be."""
    rows = {"": data.train + data.val, "test/": data.test}
    longest = MAX_ASPECT * max(data.options.store_side, STORED_SIDE) if data.aspect_kept else data.width
    image = data.channels * data.height * longest
    largest = {f"{part}images.npy": count * image + MAX_HEADER_BYTES for part, count in rows.items()}
    largest |= {f"{part}labels.npy": count * 8 + MAX_HEADER_BYTES for part, count in rows.items()}
    if data.aspect_kept:
        largest |= {f"{part}sizes.npy": count * SIZE_BYTES + MAX_HEADER_BYTES for part, count in rows.items()}
    largest |= {name: rows[part] * size + MAX_HEADER_BYTES for name, (part, size) in COLUMN_FILES.items()}
    largest |= dict.fromkeys(RECORD_FILES, MAX_RECORD_BYTES)
    return {name for name, entry in found.items() if entry.size <= largest.get(name, -1)}


def _find_mismatch(data: DataSummary, folder: Path, names: set[str]) -> str:
    """Why a downloaded folder is not the store of `data`; empty if it is."""
    needed = (*ARRAY_FILES, *(WHOLE_FILES if data.aspect_kept else ()), SUMMARY_FILE)
    missing = [name for name in needed if name not in names]
    if missing:
        return f"{missing[0]} is missing, or too large"
    try:
        found = compute_fingerprint(folder, data.classes)
        rows = [len(np.load(folder / part / "labels.npy")) for part in ("", "test")]
    except (OSError, ValueError, EOFError) as error:
        return str(error).partition("\n")[0][:200]
    if rows != [data.train + data.val, data.test]:
        return f"has {rows[0]:,} and {rows[1]:,} images, not {data.train + data.val:,} and {data.test:,}"
    return "" if found == data.fingerprint else f"fingerprint {found}, expected {data.fingerprint}"
