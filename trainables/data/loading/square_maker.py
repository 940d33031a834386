"""Makes squares of stored images, in threads: whole images, or random parts of them.

One image takes some milliseconds at 224 pixels, of which Pillow spends almost all without the interpreter's lock.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from trainables.common.environment import core_count
from trainables.data.loading.square_fit import SquareFit, fit_image
from trainables.data.store.store import Store
from trainables.data.store.stored_images import StoredImages

ROWS_A_JOB = 16
"""Images that one thread makes at a time."""
Made = TypeVar("Made")


@dataclass(frozen=True)
class SquareMaker:
    """Makes squares of stored images."""

    images: StoredImages
    """The stored images."""
    fit: SquareFit
    """How they become squares."""
    share: float = 1.0
    """Smallest share of an image's area that a random part has."""

    def make(self, rows: NDArray[np.int64], draws: NDArray[np.float32] | None = None) -> NDArray[np.uint8]:
        """Squares (n, c, side, side) of whole images, or of parts by `draws` (n, 4), in this thread.

        An image that occurs several times, with the same draws, is made once.
        """
        out = np.empty((len(rows), self.images.channels, self.fit.side, self.fit.side), np.uint8)
        made: dict[tuple[int, bytes], int] = {}
        for place, row in enumerate(rows.tolist()):
            numbers = b"" if draws is None else draws[place].tobytes()
            first = made.setdefault((row, numbers), place)
            if first != place:
                out[place] = out[first]
                continue
            image, part = self.images.image(row), None
            if draws is not None:
                _, height, width = image.shape
                part = self.fit.locate_part(height, width, self.share, draws[place].tolist())
            fit_image(image, self.fit, out[place], part)
        return out


def images_as_seen(images: StoredImages, rows: NDArray[np.int64], fits: Sequence[SquareFit]) -> list[NDArray[np.uint8]]:
    """Images at `rows` as a classifier's networks see them: an array of squares for each of its fits.

    Without fits, the one array that all images are stored in.
    """
    if not fits:
        if images.uniform is None:
            raise ValueError("images of several shapes, for a classifier of one shape")
        return [np.asarray(images.uniform[rows])]
    pieces = np.array_split(rows, max(1, -(-len(rows) // ROWS_A_JOB)))
    return [np.concatenate(list(in_threads(SquareMaker(images, fit).make, pieces))) for fit in fits]


def training_images(store: Store, rows: NDArray[np.int64], fit: SquareFit | None) -> NDArray[np.uint8]:
    """Images of train and val, by rows, as one network sees them: squares, or as all are stored."""
    return np.asarray(store.images[rows]) if fit is None else images_as_seen(store.stored, rows, [fit])[0]


def in_threads(make: Callable[[NDArray[np.int64]], Made], pieces: Iterable[NDArray[np.int64]]) -> Iterator[Made]:
    """What `make` gives for each of the pieces, in order; on as many threads as this process has cores."""
    with ThreadPoolExecutor(core_count(), thread_name_prefix="squares") as threads:
        yield from threads.map(make, pieces)
