"""Building a store: chunks decoded in parallel, recorded one by one, so that a build that was cut goes on."""

import hashlib
import multiprocessing
import os
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.data.ahead import in_turn
from trainables.data.chunk import CHUNK, Chunk, Examined, Filler, adopt, fill_adopted
from trainables.data.part import RawSet
from trainables.data.split import SPLIT_SEED, Rows, SplitName
from trainables.data.summary import DataSummary
from trainables.errors import UserError

FOLDERS: dict[str, tuple[SplitName, ...]] = {"": ("train", "val"), "test": ("test",)}
"""Splits in each folder of a store."""
MANY = 4096
"""Encoded images from which on processes pay: 2 decode twice as fast as 2 threads, but take a second to start."""
SAY_EVERY = 5.0
"""Seconds between lines on the progress."""
RECORD = "finished"
"""File of a store being built: a line for each finished chunk, its number and digest."""

Splits = dict[SplitName, Rows]


def build(raw: RawSet, splits: Splits, words: str, folder: Path, say: Callable[[str], None]) -> DataSummary:
    """Build the store of `raw` in `folder`, or finish it there; returns its summary, with no origin yet.

    Memory in use is bounded by chunks under way, and 12 bytes an image. Raises `UserError` for an image that cannot
    be decoded, a full disk, or a decoding process that was killed.
    """
    _lay_out(raw, splits, folder)
    chunks = list(_chunks(splits))
    recorded = _read_record(folder / RECORD)
    tally = _Tally(raw, folder, say, total=sum(len(rows) for _, rows in splits.values()))
    if recorded:
        say(f"{raw.name}: going on from {len(recorded):,} of {len(chunks):,} chunks that an earlier run finished")
    with (folder / RECORD).open("a") as record:
        for chunk, examined in _filled(raw, chunks, recorded, folder):
            if recorded.get(chunk.number) != examined.digest:
                record.write(f"{chunk.number} {examined.digest}\n")
                record.flush()
            tally.add(chunk, examined)
    return tally.summary(splits, words)


def forget_record(folder: Path) -> None:
    """Delete what only a store being built needs."""
    (folder / RECORD).unlink()


def _lay_out(raw: RawSet, splits: Splits, folder: Path) -> None:
    """Write labels, and images' empty files; those of a build that was cut stay as they are."""
    for name, members in FOLDERS.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        labels = np.concatenate([raw.parts[part].labels[rows] for part, rows in (splits[split] for split in members)])
        np.save(folder / name / "labels.npy", labels)
        file, shape = folder / name / "images.npy", (len(labels), raw.channels, raw.height, raw.width)
        if _holds(file, shape):
            continue
        free, needed = shutil.disk_usage(folder).free, int(np.prod(shape, dtype=np.int64))
        if free < needed:  # found out later, in a mapped file, it would kill the process
            raise UserError(f"cache {str(folder.parent)!r}: has {free:,} bytes free, {raw.name!r} needs {needed:,}")
        np.lib.format.open_memmap(file, mode="w+", dtype=np.uint8, shape=shape)


def _holds(file: Path, shape: tuple[int, ...]) -> bool:
    try:
        return bool(np.load(file, mmap_mode="r").shape == shape)
    except (OSError, ValueError, EOFError):
        return False


def _chunks(splits: Splits) -> Iterator[Chunk]:
    number = 0
    for name, members in FOLDERS.items():
        start = 0
        for split in members:
            part, rows = splits[split]
            for first in range(0, len(rows), CHUNK):
                piece = rows[first : first + CHUNK]
                yield Chunk(number, name, start, split, part, piece)
                number, start = number + 1, start + len(piece)


def _read_record(file: Path) -> dict[int, str]:
    """Digest of each finished chunk. A torn line has a wrong digest, or none, so its chunk is decoded again."""
    if not file.is_file():
        return {}
    lines = (line.partition(" ") for line in file.read_text().splitlines())
    return {int(number): digest for number, _, digest in lines if number.isdigit()}


def _filled(
    raw: RawSet, chunks: list[Chunk], recorded: dict[int, str], folder: Path
) -> Iterator[tuple[Chunk, Examined]]:
    """Each chunk once it lies in the store, in order; decoded by processes where they pay, else by threads."""
    workers = os.cpu_count() or 1
    filler = Filler(folder, {name: part.decode for name, part in raw.parts.items()})
    pool: Executor
    if raw.encoded and sum(len(chunk.rows) for chunk in chunks) >= MANY:
        # Spawned: a fork would copy locks, and threads' states, of whatever runs in this process.
        pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), adopt, (filler,))
        work: Callable[[Chunk, str], Examined] = fill_adopted
    else:
        pool, work = ThreadPoolExecutor(workers), filler
    try:
        jobs = ((chunk, pool.submit(work, chunk, recorded.get(chunk.number, ""))) for chunk in chunks)
        yield from in_turn(jobs, ahead=4 * workers)
    except BrokenProcessPool as error:
        raise UserError(
            f"--data {raw.name!r}: a decoding process was killed, perhaps for want of memory; "
            "the same command goes on from what is finished"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


class _Tally:
    """What adds up, chunk by chunk in order, to a store's summary."""

    def __init__(self, raw: RawSet, folder: Path, say: Callable[[str], None], total: int) -> None:
        self.raw, self.folder, self.say, self.total = raw, folder, say, total
        self.fingerprint = hashlib.blake2b(repr(raw.classes).encode(), digest_size=16)
        self.sums = np.zeros((2, raw.channels), np.int64)
        self.digests: dict[SplitName, list[NDArray[np.bytes_]]] = defaultdict(list)
        self.done = 0
        self.started = self.said = time.monotonic()

    def add(self, chunk: Chunk, examined: Examined) -> None:
        if chunk.start == 0:
            self.fingerprint.update(np.load(self.folder / chunk.folder / "labels.npy").tobytes())
        self.fingerprint.update(chunk.images(self.folder).data)
        if chunk.split == "train":
            self.sums += examined.sums
        self.digests[chunk.split].append(examined.digests)
        self.done += len(chunk.rows)
        now = time.monotonic()
        if now - self.said >= SAY_EVERY:
            self.said = now
            rate = self.done / (now - self.started)
            self.say(f"{self.raw.name}: {self.done:,} of {self.total:,} images, {rate:,.0f} images/s")

    def summary(self, splits: Splits, words: str) -> DataSummary:
        raw, counts = self.raw, {split: len(rows) for split, (_, rows) in splits.items()}
        pixels = counts["train"] * raw.height * raw.width
        mean, square = self.sums[0] / (255 * pixels), self.sums[1] / (255**2 * pixels)
        return DataSummary(
            name=raw.name, path=str(self.folder), origin="", classes=raw.classes,
            channels=raw.channels, height=raw.height, width=raw.width, **counts,
            mean=tuple(mean), std=tuple(np.sqrt(np.maximum(square - mean**2, 1e-8))),
            split=words, split_seed=SPLIT_SEED, leaked=self._leaked(), fingerprint=self.fingerprint.hexdigest(),
        )  # fmt: skip

    def _leaked(self) -> int:
        """Images of val that are also in train, and of test that are also in either."""
        train, val, test = (np.concatenate(self.digests[split]) for split in ("train", "val", "test"))
        return int(np.isin(val, train).sum() + np.isin(test, np.concatenate([train, val])).sum())
