"""One chunk of a store being built: decoded into its place, and examined; or found there from a build that was cut."""

import hashlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.data.decoding.bad_images import BadImage, BadImageError
from trainables.data.decoding.pixels import Image
from trainables.data.splits import SplitName
from trainables.data.store.finished_chunks import FinishedChunk, chunk_digest

CHUNK_IMAGES = 128
"""Images decoded, examined and recorded at a time."""


@dataclass(frozen=True)
class Chunk:
    """Where some images come from, and where they go."""

    number: int
    """Counts the chunks of a store, from 0."""
    folder: str
    """Folder within the store: empty for train and val, `test` for the locked split."""
    start: int
    """Its first row in that folder's `images.npy`."""
    split: SplitName
    """The split that all its images belong to."""
    part: str
    """The source's part that they come from."""
    rows: NDArray[np.int64]
    """Their rows there, ascending."""

    def images(self, store: Path) -> NDArray[np.uint8]:
        """Its place in the store at `store`, mapped for writing: images x channels x height x width."""
        mapped = np.lib.format.open_memmap(store / self.folder / "images.npy", mode="r+")
        return np.asarray(mapped[self.start : self.start + len(self.rows)])


@dataclass(frozen=True)
class ChunkStatistics:
    """What the store's summary needs to know of a chunk's pixels."""

    digests: NDArray[np.bytes_]
    """12-byte BLAKE2 hash of each image."""
    sums: NDArray[np.int64]
    """Sum, and sum of squares, of each channel's pixels (0 to 255): 2 x channels, exact."""
    bad: dict[int, BadImage]
    """Images that cannot be decoded, by their place in the chunk; their pixels are 0."""

    def to_record(self, number: int) -> FinishedChunk:
        """What the record keeps of it, as the chunk of this number."""
        return FinishedChunk(number, chunk_digest(self.digests.tobytes(), self.bad), self.bad)


def compute_statistics(images: NDArray[np.uint8], bad: dict[int, BadImage]) -> ChunkStatistics:
    """Hash and add up images, n x channels x height x width, of which some are `bad`."""
    sums = np.zeros((2, images.shape[1]), np.int64)
    digests = []
    for image in images:
        digests.append(hashlib.blake2b(image.data, digest_size=12).digest())
        pixels = image.reshape(len(image), -1)
        sums += pixels.sum(axis=1, dtype=np.int64), np.square(pixels, dtype=np.uint32).sum(axis=1, dtype=np.int64)
    return ChunkStatistics(np.array(digests, dtype="S12"), sums, bad)


@dataclass(frozen=True)
class ChunkDecoder:
    """Fills chunks; runs in threads, or goes to processes of their own."""

    store: Path
    """Folder of the store being built."""
    decoders: dict[str, Callable[[int], Image]]
    """Of each part of the source."""

    def __call__(self, chunk: Chunk, recorded: FinishedChunk | None) -> ChunkStatistics:
        """Decode a chunk into its place, unless what lies there is the `recorded` one already.

        Raises `UserError` naming an image that the disk or the memory does not give.
        """
        images = chunk.images(self.store)
        if recorded:
            found = compute_statistics(images, recorded.bad)
            if found.to_record(chunk.number) == recorded:
                return found
        decode, bad = self.decoders[chunk.part], dict[int, BadImage]()
        for at, row in enumerate(chunk.rows.tolist()):
            try:
                images[at] = decode(row).transpose(2, 0, 1)
            except BadImageError as error:
                images[at] = 0
                bad[at] = error.image
        return compute_statistics(images, bad)


_PROCESS_DECODER: list[ChunkDecoder] = []


def start_decoder_process(filler: ChunkDecoder) -> None:
    """Begin a process of a pool: it fills chunks with `filler`, and ends with its parent, however that ends."""
    _PROCESS_DECODER.append(filler)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def decode_in_process(chunk: Chunk, recorded: FinishedChunk | None) -> ChunkStatistics:
    """Fill a chunk in a process that `adopt` began."""
    return _PROCESS_DECODER[-1](chunk, recorded)


def _exit_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
