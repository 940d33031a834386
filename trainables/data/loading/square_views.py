"""Squares of all stored images by one fit, made once a node and mapped from the cache, for all trials with this fit."""

import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock

from trainables.data.loading.input_loader import InputLoader, make_loader
from trainables.data.loading.square_fit import SquareFit
from trainables.data.loading.square_loaders import SquareLoader
from trainables.data.loading.square_maker import ROWS_A_JOB, SquareMaker, in_threads
from trainables.data.store.file_digests import compute_digests, find_damage, write_digests
from trainables.data.store.store import Store
from trainables.storage.cache import cache_folder
from trainables.storage.folders import remove_tree

logger = logging.getLogger(__name__)

MAX_VIEW_BYTES = 8_000_000_000
"""Bytes of the largest file of squares; those of larger data are made while training runs."""
DISK_SHARE = 0.25
"""Share of the cache's free disk that a file of squares may take."""
SQUARES_FILE = "squares.npy"


class SquareInputs:
    """Loaders of a store's squares; the one used last stays in memory, as trials of one fit often follow another."""

    def __init__(self, store: Store, device: torch.device, budget: int) -> None:
        """Load squares to `device` where they take at most `budget` bytes, else read them from the disk."""
        self._store, self._device, self._budget = store, device, budget
        self._latest: tuple[SquareFit, InputLoader] | None = None

    @property
    def memory_bytes(self) -> int:
        """Bytes of memory that the loader used last takes."""
        return self._latest[1].memory_bytes if self._latest else 0

    def of(self, fit: SquareFit) -> InputLoader:
        """Squares by `fit`, in memory if they fit."""
        if self._latest is None or self._latest[0] != fit:
            self._latest = None  # its memory is free before the next one takes it
            self._latest = (fit, self.load(fit, self._budget))
        return self._latest[1]

    def load(self, fit: SquareFit, budget: int = 0) -> InputLoader:
        """Squares by `fit`, in memory if they take at most `budget` bytes; this class does not keep them."""
        labels, views = self._store.labels, open_views(self._store, fit)
        if views is not None:
            return make_loader(views, labels, self._device, budget)
        return SquareLoader(torch.from_numpy(labels).to(self._device), SquareMaker(self._store.stored, fit))


def open_views(store: Store, fit: SquareFit) -> np.memmap[Any, np.dtype[np.uint8]] | None:
    """Squares (images, c, side, side) of train, then val; the first caller on a node makes them.

    None where they would take more than `MAX_VIEW_BYTES`, or than `DISK_SHARE` of the free disk, or it cannot be
    written.
    """
    folder = views_folder(store, fit)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if find_damage(folder):
                remove_tree(folder)
                size = len(store.labels) * store.summary.channels * fit.side**2
                if size > min(MAX_VIEW_BYTES, DISK_SHARE * shutil.disk_usage(folder.parent).free):
                    return None
                _make(SquareMaker(store.stored, fit), folder)
            views: np.memmap[Any, np.dtype[np.uint8]] = np.load(folder / SQUARES_FILE, mmap_mode="c")
    except OSError as error:
        logger.warning(f"squares cannot be kept in {folder} ({error.strerror or error}): training makes them itself")
        return None
    return views


def views_folder(store: Store, fit: SquareFit) -> Path:
    """Folder of the squares, below the fingerprint of the images: a store that is built again uses it, too."""
    return cache_folder() / "squares" / store.summary.fingerprint / fit.label


def _make(maker: SquareMaker, folder: Path) -> None:
    """Make the squares in a folder that gets its name when it is whole."""
    building, count = folder.with_name(folder.name + ".partial"), len(maker.images)
    remove_tree(building)
    building.mkdir()
    logger.info(f"making {count:,} squares of {maker.fit.side} pixels, fit {maker.fit.kind}, once in {folder}")
    shape = (count, maker.images.channels, maker.fit.side, maker.fit.side)
    out = np.lib.format.open_memmap(building / SQUARES_FILE, mode="w+", dtype=np.uint8, shape=shape)
    pieces = np.array_split(np.arange(count), max(1, -(-count // ROWS_A_JOB)))
    start = 0
    for made in in_threads(maker.make, pieces):
        out[start : start + len(made)] = made
        start += len(made)
    del out
    write_digests(building, compute_digests(building, [SQUARES_FILE]))
    building.rename(folder)
