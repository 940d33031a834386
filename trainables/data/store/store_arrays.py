"""A store's arrays on disk: their fingerprint, and the removal of rows whose image is bad."""

import hashlib
from pathlib import Path

import numpy as np

from trainables.data.store.image_columns import hash_columns, remove_from_columns

HASHED_AT_ONCE, MOVED_AT_ONCE = 4096, 256
"""Images held in memory at a time while hashing, and while moving."""


def begin_fingerprint(classes: tuple[str, ...]) -> "hashlib.blake2b":
    """Begin the hash of a store; labels, columns and pixels of train and val follow, then those of test."""
    return hashlib.blake2b(repr(classes).encode(), digest_size=16)


def compute_fingerprint(folder: Path, classes: tuple[str, ...]) -> str:
    """Fingerprint of the store in `folder`; raises OSError, ValueError or EOFError if its arrays are damaged."""
    digest = begin_fingerprint(classes)
    for within in (folder, folder / "test"):
        labels = np.load(within / "labels.npy")
        images = np.load(within / "images.npy", mmap_mode="r")
        if labels.dtype != np.int64 or images.dtype != np.uint8 or images.ndim != 4 or len(images) != len(labels):
            raise ValueError(f"{images.dtype} images {images.shape} and {labels.dtype} labels {labels.shape}")
        digest.update(labels.tobytes())
        hash_columns(digest, within, len(labels))
        for first in range(0, len(images), HASHED_AT_ONCE):
            digest.update(np.ascontiguousarray(images[first : first + HASHED_AT_ONCE]).data)
    return digest.hexdigest()


def remove_rows(folder: Path, rows: list[int]) -> None:
    """Remove `rows` from the images, the labels and the columns in `folder`; later rows move up.

    If this is interrupted, the next build finds another shape or other pixels than recorded, and decodes again.
    """
    if not rows:
        return
    labels = np.load(folder / "labels.npy")
    np.save(folder / "labels.npy", np.delete(labels, rows))
    remove_from_columns(folder, rows)
    file = folder / "images.npy"
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
        header = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.uint8)), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(stream, header)
        assert stream.tell() == start, "numpy leaves room in a header for more rows"
