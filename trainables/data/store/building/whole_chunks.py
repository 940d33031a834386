"""Chunks of images that are stored whole: decoded into files of their own, then moved to the end of the store's pixels.

How long an image is turns out when it is decoded, so its place is known once all images before it are there.
"""

import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.common.background import run_ahead
from trainables.data.decoding.bad_images import BadImage, BadImageError
from trainables.data.decoding.pixels import Image
from trainables.data.store.building.chunk import Chunk, ChunkStatistics, compute_statistics
from trainables.data.store.building.finished_chunks import FinishedChunk
from trainables.data.store.store_arrays import HEADER_BYTES, map_pixels, write_flat_header
from trainables.data.store.stored_images import IMAGES_FILE

COPIED_AT_ONCE = 1 << 20
"""Bytes that are moved at a time."""
CHUNK_FILES = "chunk-*.pixels"
"""Pattern of the files of chunks that are not in their place yet."""


@dataclass(frozen=True)
class WholeChunkDecoder:
    """Decodes chunks into files of their own, in threads or in other processes."""

    store: Path
    """Folder of the store being built."""
    decoders: dict[str, Callable[[int], Image]]
    """Decoder of each part of the source."""
    channels: int
    """Channels of decoded images."""

    def __call__(self, chunk: Chunk, _recorded: FinishedChunk | None) -> ChunkStatistics:
        """Decode a chunk into its file, where a bad image takes no byte.

        Raises `UserError` for an image file that cannot be read, or if memory runs out; OSError for a full disk.
        """
        decode, bad, sizes = self.decoders[chunk.part], dict[int, BadImage](), []

        def decoded() -> Iterator[NDArray[np.uint8]]:
            for at, row in enumerate(chunk.rows.tolist()):
                image = np.empty((self.channels, 0, 0), np.uint8)
                try:
                    image = np.ascontiguousarray(decode(row).transpose(2, 0, 1))
                except BadImageError as error:
                    bad[at] = error.image
                sizes.append(image.shape[1:])
                file.write(image.data)
                yield image

        with _chunk_file(self.store, chunk).open("wb") as file:
            found = compute_statistics(decoded(), bad, self.channels)
        return dataclasses.replace(found, sizes=np.array(sizes, np.int32))


class WholePixels:
    """The pixel files of a store whose images are stored whole, while it is built."""

    def __init__(self, store: Path, channels: int) -> None:
        """Without any chunk; files of an interrupted build are kept."""
        self._store, self._channels, self._ends = store, channels, dict[str, int]()
        for file in store.glob(CHUNK_FILES):
            file.unlink()

    @property
    def present_bytes(self) -> int:
        """Bytes that the files take by now."""
        files = [file for file in self._store.rglob(IMAGES_FILE) if file.is_file()]
        return sum(file.stat().st_size for file in files)

    def find_finished(
        self, chunks: Sequence[Chunk], recorded: dict[int, FinishedChunk]
    ) -> Iterator[tuple[Chunk, ChunkStatistics]]:
        """Yield the first chunks, in order, as far as each is in its place as it was recorded."""
        with ThreadPoolExecutor(os.cpu_count() or 1) as threads:
            places = self._recorded_places(chunks, recorded)
            jobs = (
                (chunk, threads.submit(self._read, chunk, start, recorded[chunk.number])) for chunk, start in places
            )
            for chunk, found in run_ahead(jobs, ahead=2 * (os.cpu_count() or 1)):
                if found is None or found.to_record(chunk.number) != recorded[chunk.number]:
                    return
                self._ends[chunk.folder] = self._end(chunk.folder) + found.count_bytes(self._channels)
                yield chunk, found

    def begin(self, folders: Sequence[str]) -> None:
        """Cut off what follows the finished chunks."""
        for folder in folders:
            with (self._store / folder / IMAGES_FILE).open("ab") as file:
                file.truncate(self._end(folder))
            self._write_header(folder, 0)

    def append(self, chunk: Chunk) -> None:
        """Move a decoded chunk to the end of its folder's pixels; raises OSError for a full disk."""
        piece = _chunk_file(self._store, chunk)
        with piece.open("rb") as source, (self._store / chunk.folder / IMAGES_FILE).open("ab") as target:
            while content := source.read(COPIED_AT_ONCE):
                target.write(content)
            self._ends[chunk.folder] = target.tell()
        piece.unlink()

    def finish(self) -> None:
        """Write the number of bytes into the files' headers."""
        for folder, end in self._ends.items():
            self._write_header(folder, end - HEADER_BYTES)

    def _end(self, folder: str) -> int:
        return self._ends.get(folder, HEADER_BYTES)

    def _recorded_places(
        self, chunks: Sequence[Chunk], recorded: dict[int, FinishedChunk]
    ) -> Iterator[tuple[Chunk, int]]:
        """The first chunks that are recorded with sizes, and where they start in their files."""
        ends = dict[str, int]()
        for chunk in chunks:
            known = recorded.get(chunk.number)
            if known is None or len(known.sizes) != len(chunk.rows):
                return
            start = ends.get(chunk.folder, HEADER_BYTES)
            ends[chunk.folder] = start + self._channels * sum(height * width for height, width in known.sizes)
            yield chunk, start

    def _read(self, chunk: Chunk, start: int, recorded: FinishedChunk) -> ChunkStatistics | None:
        """Statistics of a chunk in its place; None where there are fewer bytes."""
        sizes = np.array(recorded.sizes, np.int32)
        ends = np.cumsum(self._channels * sizes.prod(axis=1, dtype=np.int64))
        file = self._store / chunk.folder / IMAGES_FILE
        if not file.is_file() or file.stat().st_size < start + ends[-1]:
            return None
        pixels = map_pixels(file, start, int(ends[-1]))
        pieces = np.split(pixels, ends[:-1])
        images = (piece.reshape(self._channels, *size) for piece, size in zip(pieces, recorded.sizes, strict=True))
        return dataclasses.replace(compute_statistics(images, recorded.bad, self._channels), sizes=sizes)

    def _write_header(self, folder: str, count: int) -> None:
        with (self._store / folder / IMAGES_FILE).open("r+b") as file:
            write_flat_header(file, count)


def _chunk_file(store: Path, chunk: Chunk) -> Path:
    return store / CHUNK_FILES.replace("*", str(chunk.number))
