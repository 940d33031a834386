"""One process at a time works on a search."""

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from trainables.common.errors import UserError
from trainables.storage.files import open_append

LOCK_FILE = "search.lock"
MAX_HOLDER_BYTES = 10_000
"""Bytes that are read of who holds it."""


@contextmanager
def hold_lock(folder: Path) -> Iterator[None]:
    """Hold the search in `folder`, which is made if it is missing; raises `UserError` naming who else holds it.

    The system gives the lock back when its holder ends, however it ends.
    """
    with open_append(folder / LOCK_FILE) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise UserError(
                f"search {folder.name!r}: {_say_holder(file.read(MAX_HOLDER_BYTES))} is working on it"
            ) from error
        file.truncate(0)
        started = datetime.now(UTC).isoformat(timespec="seconds")
        holder = {"process": os.getpid(), "host": socket.gethostname(), "since": started}
        file.write(json.dumps(holder).encode())
        file.flush()
        yield


def _say_holder(text: bytes) -> str:
    try:
        holder = json.loads(text)
        return f"process {holder['process']} on {holder['host']}, since {holder['since']},"
    except (ValueError, KeyError, TypeError):
        return "another process"
