"""Files of data that were given in memory: one folder of the cache for each content, named by its digest.

A folder appears as a whole, by a rename, so that writers side by side and killed ones do no harm. The time of files
follows from the digest, so that data that are written again after the cache was cleaned are known to be the same.
"""

import hashlib
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from trainables.common.errors import UserError
from trainables.storage.cache import cache_folder
from trainables.storage.files import PARTIAL
from trainables.storage.folders import is_folder, remove_tree
from trainables.storage.write_errors import is_about

IN_MEMORY = "in-memory"
"""Folder of the cache."""
DIGEST_BYTES = 12
"""Bytes of a digest."""
EARLIEST_TIME_NS, TIME_RANGE_NS = 315_532_800 * 10**9, 1 << 59
"""Times of files, in nanoseconds since 1970: from 1980 on, for 18 years."""
READ_BYTES = 1 << 22
"""Bytes that are read at a time."""


def new_digest() -> "hashlib.blake2b":
    """A digest of content, to be updated."""
    return hashlib.blake2b(digest_size=DIGEST_BYTES)


def find_kept(digest: str, name: str) -> Path | None:
    """The file or folder `name` of the data with this digest; None where they are not kept yet."""
    folder = _kept_folder(digest)
    if not is_folder(folder):
        return None
    _set_times(folder, digest)
    return folder / name


@contextmanager
def writing() -> Iterator[Path]:
    """A new folder to write into; it is deleted at the end unless it was kept.

    Raises `UserError` where the cache cannot be written.
    """
    folder = cache_folder() / IN_MEMORY / f".{secrets.token_hex(8)}{PARTIAL}"
    try:
        folder.mkdir(parents=True)
        yield folder
    except OSError as error:
        if not is_about(error, folder):  # an image that could not be read
            raise
        raise UserError(f"data in memory: cannot be kept in {str(folder.parent)!r} ({error.strerror})") from error
    finally:
        remove_tree(folder)


def keep(folder: Path, digest: str, name: str) -> Path:
    """Keep what was written into `folder` as the data with this digest; returns the path of `name` in it."""
    _set_times(folder, digest)
    target = _kept_folder(digest)
    try:
        folder.rename(target)
    except OSError:
        if not is_folder(target):  # else another process kept the same data meanwhile
            raise
        _set_times(target, digest)
    return target / name


def digest_folder(folder: Path) -> str:
    """Digest of the names and contents of all files below a folder."""
    digest = new_digest()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{file.relative_to(folder).as_posix()} {file.stat().st_size}\n".encode())
        with file.open("rb") as content:
            while piece := content.read(READ_BYTES):
                digest.update(piece)
    return digest.hexdigest()


def file_time(digest: str) -> int:
    """Time of the files of the data with this digest: sources know files by size and time, so it tells data apart."""
    return EARLIEST_TIME_NS + int(digest, 16) % TIME_RANGE_NS


def _set_times(folder: Path, digest: str) -> None:
    """Give all files below a folder their time, and note that they are used now, as cleaning the cache heeds."""
    for place, _, files in os.walk(folder):
        for file in files:
            with suppress(OSError):  # of a cache that another command cleans, or that is not this user's
                os.utime(Path(place) / file, ns=(time.time_ns(), file_time(digest)))


def _kept_folder(digest: str) -> Path:
    return cache_folder() / IN_MEMORY / digest


def is_kept(place: str) -> bool:
    """Whether a path lies where data in memory are kept, by its form: also in the cache of another machine."""
    parts = Path(place).parts
    return len(parts) > 2 and parts[-3] == IN_MEMORY and len(parts[-2]) == 2 * DIGEST_BYTES
