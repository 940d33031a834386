"""The images that a classifier was trained on, by digests of their pixels, so that they are known in other data."""

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.data.store.data_summary import DataSummary
from trainables.data.store.recorded_data import find_prepared_store
from trainables.data.store.stored_images import StoredImages

MAX_COMPARED_BYTES = 4_000_000_000
"""Pixels of the largest training data of which all digests are made."""


def digest_trained_images(data: DataSummary) -> frozenset[bytes] | None:
    """Digests of the training and validation images, on which a winner is trained; the test split stays closed.

    None where these images are not prepared on this machine, or are too many.
    """
    store = find_prepared_store(data.fingerprint)
    if store is None:
        return None
    images = StoredImages.open(Path(store.path), store.channels)
    if images.pixels.nbytes > MAX_COMPARED_BYTES:
        return None
    return frozenset(digest_pixels(images.image(row)) for row in range(len(images)))


def digest_pixels(image: NDArray[np.uint8]) -> bytes:
    """Digest of the shape and pixels of a stored image (c, h, w)."""
    content = np.ascontiguousarray(image)
    digest = hashlib.blake2b(repr(content.shape).encode(), digest_size=12)
    digest.update(content.data)
    return digest.digest()
