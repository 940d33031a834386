"""One chunk of a store being built: decoded into its place, or found there from an interrupted build, and summed up."""

import hashlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.data.copies.perceptual_hash import Hashes, hash_reduced, reduce_image
from trainables.data.decoding.bad_images import BadImage, BadImageError
from trainables.data.decoding.pixels import Image
from trainables.data.splits import SplitName
from trainables.data.store.building.finished_chunks import FinishedChunk, chunk_digest

CHUNK_IMAGES = 128
"""Number of images in a chunk."""
_ONE_HEADER = threading.Lock()
"""Held while NumPy parses the header of a file: in Python 3.11 two threads that parse at once may fail by a
SystemError, `AST constructor recursion depth mismatch`."""


@dataclass(frozen=True)
class Chunk:
    """The source and the destination of some images."""

    number: int
    """Number of the chunk in the store, from 0."""
    folder: str
    """Folder within the store: empty for train and val, `test` for the locked split."""
    start: int
    """First row in that folder's `images.npy`."""
    split: SplitName
    """Split of all its images."""
    part: str
    """Part of the source."""
    rows: NDArray[np.int64]
    """Rows in the part, ascending."""

    def images(self, store: Path) -> NDArray[np.uint8]:
        """Its images in the store at `store`, mapped for writing: images x channels x height x width."""
        with _ONE_HEADER:
            mapped = np.lib.format.open_memmap(store / self.folder / "images.npy", mode="r+")
        return np.asarray(mapped[self.start : self.start + len(self.rows)])


@dataclass(frozen=True)
class ChunkStatistics:
    """Statistics of a chunk's pixels, for the store's summary."""

    digests: NDArray[np.bytes_]
    """12-byte BLAKE2 hash of each image."""
    sums: NDArray[np.int64]
    """Exact sum and sum of squares of each channel's pixels (0 to 255), shape 2 x channels."""
    hashes: Hashes
    """Perceptual hash of each image."""
    bad: dict[int, BadImage]
    """Images that cannot be decoded, by position in the chunk; their pixels are 0, or none where stored whole."""
    sizes: NDArray[np.int32] = field(default_factory=lambda: np.zeros((0, 2), np.int32))
    """Height and width of each image that is stored whole, n x 2; none where all are of one size."""

    def count_bytes(self, channels: int) -> int:
        """Bytes of images that are stored whole."""
        return channels * int(self.sizes.prod(axis=1, dtype=np.int64).sum())

    def to_record(self, number: int) -> FinishedChunk:
        """The record of this chunk, which has this number."""
        sizes = tuple((height, width) for height, width in self.sizes.tolist())
        return FinishedChunk(number, chunk_digest(self.digests.tobytes(), self.bad), self.bad, sizes)


def compute_statistics(images: Iterable[NDArray[np.uint8]], bad: dict[int, BadImage], channels: int) -> ChunkStatistics:
    """Compute digests, sums and hashes of images, each channels x height x width, of which some are `bad`."""
    sums = np.zeros((2, channels), np.int64)
    digests, reduced = [], []
    for image in images:
        digests.append(hashlib.blake2b(image.data, digest_size=12).digest())
        pixels = image.reshape(len(image), -1)
        sums += pixels.sum(axis=1, dtype=np.int64), np.square(pixels, dtype=np.uint32).sum(axis=1, dtype=np.int64)
        reduced.append(reduce_image(image))
    return ChunkStatistics(np.array(digests, dtype="S12"), sums, hash_reduced(reduced), bad)


@dataclass(frozen=True)
class ChunkDecoder:
    """Decodes chunks into the store, in threads or in other processes."""

    store: Path
    """Folder of the store being built."""
    decoders: dict[str, Callable[[int], Image]]
    """Decoder of each part of the source."""

    def __call__(self, chunk: Chunk, recorded: FinishedChunk | None) -> ChunkStatistics:
        """Decode a chunk into the store, unless the chunk found there is the `recorded` one.

        Raises `UserError` for an image file that cannot be read, or if memory runs out.
        """
        images = chunk.images(self.store)
        if recorded:
            found = compute_statistics(images, recorded.bad, images.shape[1])
            if found.to_record(chunk.number) == recorded:
                return found
        decode, bad = self.decoders[chunk.part], dict[int, BadImage]()
        for at, row in enumerate(chunk.rows.tolist()):
            try:
                images[at] = decode(row).transpose(2, 0, 1)
            except BadImageError as error:
                images[at] = 0
                bad[at] = error.image
        return compute_statistics(images, bad, images.shape[1])


ChunkWork = Callable[[Chunk, FinishedChunk | None], ChunkStatistics]
"""Decodes a chunk; picklable where it goes to other processes."""
_PROCESS_DECODER: list[ChunkWork] = []


def start_decoder_process(filler: ChunkWork) -> None:
    """Start a process of a pool: it decodes chunks with `filler`, and exits with its parent."""
    _PROCESS_DECODER.append(filler)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def decode_in_process(chunk: Chunk, recorded: FinishedChunk | None) -> ChunkStatistics:
    """Decode a chunk in a process that `start_decoder_process` initialised."""
    return _PROCESS_DECODER[-1](chunk, recorded)


def _exit_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
