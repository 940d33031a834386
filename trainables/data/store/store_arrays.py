"""A store's arrays on disk: their fingerprint, and the removal of rows whose image is bad."""

import hashlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from trainables.data.store.image_columns import hash_columns, remove_from_columns
from trainables.data.store.stored_images import IMAGES_FILE, SIZES_FILE

HASHED_AT_ONCE, MOVED_AT_ONCE = 4096, 256
"""Images held in memory at a time while hashing, and while moving."""
HASHED_BYTES = 1 << 24
"""Bytes of images of different sizes that are hashed at a time."""
HEADER_BYTES = 128
"""Length of the header of an array of bytes, which has room for any number of them."""


def begin_fingerprint(classes: tuple[str, ...]) -> "hashlib.blake2b":
    """Begin the hash of a store; labels, columns, pixels and sizes of train and val follow, then those of test."""
    return hashlib.blake2b(repr(classes).encode(), digest_size=16)


def compute_fingerprint(folder: Path, classes: tuple[str, ...]) -> str:
    """Fingerprint of the store in `folder`; raises OSError, ValueError or EOFError if its arrays are damaged."""
    digest = begin_fingerprint(classes)
    for within in (folder, folder / "test"):
        labels = np.load(within / "labels.npy")
        images = np.load(within / "images.npy", mmap_mode="r")
        if labels.dtype != np.int64 or images.dtype != np.uint8 or images.ndim not in {1, 4}:
            raise ValueError(f"{images.dtype} images {images.shape} and {labels.dtype} labels {labels.shape}")
        sizes = load_sizes(within, len(images)) if images.ndim == 1 else None
        if len(labels) != len(images if sizes is None else sizes):
            raise ValueError(f"images {images.shape} for {len(labels):,} labels")
        digest.update(labels.tobytes())
        hash_columns(digest, within, len(labels))
        step = HASHED_AT_ONCE if sizes is None else HASHED_BYTES
        for first in range(0, len(images), step):
            digest.update(np.ascontiguousarray(images[first : first + step]).data)
        if sizes is not None:
            digest.update(sizes.tobytes())
    return digest.hexdigest()


def load_sizes(folder: Path, count: int) -> NDArray[np.int32]:
    """The sizes of images that are stored whole in so many bytes; raises ValueError for others, or OSError."""
    sizes: NDArray[np.int32] = np.load(folder / SIZES_FILE)
    if sizes.dtype != np.int32 or sizes.ndim != 2 or sizes.shape[1] != 2:
        raise ValueError(f"{sizes.dtype} sizes {sizes.shape}")
    pixels = int(sizes.prod(axis=1, dtype=np.int64).sum())
    if count not in {pixels, 3 * pixels}:
        raise ValueError(f"sizes of {pixels:,} pixels, for {count:,} bytes")
    return sizes


def map_pixels(file: Path, start: int, count: int) -> NDArray[np.uint8]:
    """So many bytes of a file from `start` on, mapped into memory."""
    if not count:
        return np.zeros(0, np.uint8)
    return np.memmap(file, np.uint8, "r", start, (count,))


def write_flat_header(stream: BinaryIO, count: int) -> None:
    """Write the header of an array of `count` bytes at the start of its file."""
    _write_header(stream, (count,), HEADER_BYTES)


def _write_header(stream: BinaryIO, shape: tuple[int, ...], length: int) -> None:
    header = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.uint8)), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
    assert stream.tell() == length, "numpy leaves room in a header for more rows"


def remove_rows(folder: Path, rows: list[int]) -> None:
    """Remove `rows` from the images, the labels and the columns in `folder`; later rows move up.

    If this is interrupted, the next build finds another shape or other pixels than recorded, and decodes again.
    """
    if not rows:
        return
    labels = np.load(folder / "labels.npy")
    np.save(folder / "labels.npy", np.delete(labels, rows))
    remove_from_columns(folder, rows)
    if (folder / SIZES_FILE).is_file():
        _remove_whole(folder, rows)
    else:
        _remove_equal(folder / IMAGES_FILE, rows)


def _remove_whole(folder: Path, rows: list[int]) -> None:
    """Remove images that are stored whole; a bad one has no bytes, so that nothing moves."""
    file, sizes = folder / IMAGES_FILE, np.load(folder / SIZES_FILE)
    count = (file.stat().st_size - HEADER_BYTES) // max(1, int(sizes.prod(axis=1, dtype=np.int64).sum()))
    ends = HEADER_BYTES + np.concatenate([[0], np.cumsum(count * sizes.prod(axis=1, dtype=np.int64))])
    np.save(folder / SIZES_FILE, np.delete(sizes, rows, axis=0))
    with file.open("r+b") as stream:
        target = int(ends[min(rows)])
        for row in np.delete(np.arange(len(sizes)), rows)[min(rows) :].tolist():
            start, end = int(ends[row]), int(ends[row + 1])
            if start != target:
                stream.seek(start)
                content = stream.read(end - start)
                stream.seek(target)
                stream.write(content)
            target += end - start
        stream.truncate(target)
        stream.seek(0)
        write_flat_header(stream, target - HEADER_BYTES)


def _remove_equal(file: Path, rows: list[int]) -> None:
    images = np.lib.format.open_memmap(file, mode="r+")
    kept = np.delete(np.arange(len(images)), rows)
    for first in range(min(rows), len(kept), MOVED_AT_ONCE):
        moved = kept[first : first + MOVED_AT_ONCE]
        images[first : first + len(moved)] = images[moved]  # the right side is a copy, and never lies further ahead
    images.flush()
    shape, start, size = (len(kept), *images.shape[1:]), images.offset, images[0].nbytes
    del images
    with file.open("r+b") as stream:
        stream.truncate(start + len(kept) * size)
        _write_header(stream, shape, start)
