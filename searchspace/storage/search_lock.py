"""The lock of a search: one process at a time works on it, and its file names the holder.

filelock is not used: 3.20.3, which is allowed, truncates the file that names the holder before it has the lock, and all
versions follow links in the path, which `trainables.storage.files` refuses in a results folder.
"""

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from trainables.common.errors import UserError
from trainables.storage.files import open_append, open_file

LOCK_FILE = "search.lock"
MAX_HOLDER_BYTES = 10_000
"""Bytes of the holder's description that are read."""


@contextmanager
def hold_lock(folder: Path) -> Iterator[None]:
    """Lock the search in `folder`, which is made if it is missing; raises `UserError` with another holder.

    The operating system releases the lock when its holder ends, also when it is killed.
    """
    with open_append(folder / LOCK_FILE) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise UserError(
                f"search {folder.name!r}: {_describe_holder(file.read(MAX_HOLDER_BYTES))} is working on it"
            ) from error
        file.truncate(0)
        started = datetime.now(UTC).isoformat(timespec="seconds")
        holder = {"process": os.getpid(), "host": socket.gethostname(), "since": started}
        file.write(json.dumps(holder).encode())
        file.flush()
        yield


def is_locked(folder: Path) -> bool:
    """Whether a process holds the lock of the search in `folder`; nothing is changed there."""
    try:
        with open_file(folder / LOCK_FILE) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def _describe_holder(text: bytes) -> str:
    try:
        holder = json.loads(text)
        return f"process {holder['process']} on {holder['host']}, since {holder['since']},"
    except (ValueError, KeyError, TypeError):
        return "another process"
