"""A store's fingerprint: one hash of its class names, labels and pixels."""

import hashlib
from pathlib import Path

import numpy as np

STEP = 4096
"""Images hashed at a time."""


def begin_fingerprint(classes: tuple[str, ...]) -> "hashlib.blake2b":
    """The hash of a store before its images: labels and pixels of train and val follow, then those of test."""
    return hashlib.blake2b(repr(classes).encode(), digest_size=16)


def fingerprint_of(folder: Path, classes: tuple[str, ...]) -> str:
    """Of the store as it lies in `folder`; raises OSError, ValueError or EOFError where its arrays are none."""
    digest = begin_fingerprint(classes)
    for within in (folder, folder / "test"):
        labels = np.load(within / "labels.npy")
        images = np.load(within / "images.npy", mmap_mode="r")
        if labels.dtype != np.int64 or images.dtype != np.uint8 or images.ndim != 4 or len(images) != len(labels):
            raise ValueError(f"{images.dtype} images {images.shape} and {labels.dtype} labels {labels.shape}")
        digest.update(labels.tobytes())
        for first in range(0, len(images), STEP):
            digest.update(np.ascontiguousarray(images[first : first + STEP]).data)
    return digest.hexdigest()
