"""Chunks of features or activations: all processes of a node compute some, and what is there is not computed again.

A chunk is claimed by a lock that its process holds. The kernel frees the lock of one that is killed, and its chunk is
computed by another; all others are kept.
"""

import hashlib
import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from trainables.common.errors import DamagedError
from trainables.storage.files import read_file, write_file
from trainables.storage.folders import remove_tree

Numbers = NDArray[Any]
"""What is computed of each image, shape (images, ...), of one type in all chunks."""

LEAST_IMAGES, MOST_IMAGES = 16, 256
"""Images of a chunk, fewest and most."""
CHUNKS = 32
"""Chunks that a small set has, so that all gangs end at about the same time."""
WAIT_S = 0.05
"""Seconds between two looks at the chunks of others."""
DIGEST_BYTES = 16


def chunk_rows(count: int) -> list[NDArray[np.int64]]:
    """Rows of each chunk of a set of `count` images."""
    size = max(LEAST_IMAGES, min(MOST_IMAGES, -(-count // CHUNKS)))
    return [np.arange(start, min(start + size, count)) for start in range(0, count, size)]


def compute_chunks(
    folder: Path, count: int, compute: Callable[[NDArray[np.int64]], Numbers], is_published: Callable[[], bool],
    on_step: Callable[[], None] = lambda: None,
) -> None:  # fmt: skip
    """Compute chunks that no other process has begun, and wait for the others, until all are in `folder`.

    `compute` gives the numbers (n, ...) of rows; `on_step` is called after each chunk, and while others are
    waited for, and may raise: no chunk is lost that is whole. Ends early where `is_published` says that another process
    has joined the chunks already.
    """
    waiting = dict(enumerate(chunk_rows(count)))
    while waiting and not is_published():
        before = len(waiting)
        for number, rows in list(waiting.items()):
            if read_chunk(folder, number, len(rows)) is not None or _try_compute(
                folder, number, rows, compute, is_published
            ):
                del waiting[number]
            on_step()
        if waiting and len(waiting) == before:
            time.sleep(WAIT_S)


def _try_compute(
    folder: Path, number: int, rows: NDArray[np.int64], compute: Callable[[NDArray[np.int64]], Numbers],
    is_published: Callable[[], bool],
) -> bool:  # fmt: skip
    """Compute a chunk, unless another process does; whether it is there now."""
    try:
        with FileLock(str(_file(folder, number)) + ".lock", timeout=0):
            if not is_published() and read_chunk(folder, number, len(rows)) is None:
                stream = io.BytesIO()
                np.save(stream, compute(rows))
                content = stream.getvalue()
                write_file(_file(folder, number), _digest(content) + content)
            return True
    except Timeout:
        return False


def join_chunks(folder: Path, count: int, file: Path) -> None:
    """Write `file`, an array of the numbers of all images, from the chunks; raises OSError where one is missing."""
    beside = file.with_suffix(".partial.npy")
    remove_tree(beside)
    out: Numbers | None = None
    for number, rows in enumerate(chunk_rows(count)):
        found = read_chunk(folder, number, len(rows))
        if found is None:
            raise OSError(f"{folder}: chunk {number} has disappeared")
        if out is None:
            out = np.lib.format.open_memmap(beside, mode="w+", dtype=found.dtype, shape=(count, *found.shape[1:]))
        out[rows] = found
    beside.rename(file)


def read_chunk(folder: Path, number: int, count: int) -> Numbers | None:
    """Numbers of a chunk of `count` images; None if it is missing or damaged."""
    try:
        found = read_file(_file(folder, number))
    except (OSError, DamagedError):
        return None
    content = found[DIGEST_BYTES:]
    if _digest(content) != found[:DIGEST_BYTES]:
        return None
    numbers: Numbers = np.load(io.BytesIO(content), allow_pickle=False)
    return numbers if len(numbers) == count else None


def _file(folder: Path, number: int) -> Path:
    return folder / f"{number:05d}.npy"


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest()
