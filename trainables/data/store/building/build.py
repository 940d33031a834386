"""Builds a store: chunks are decoded in parallel and recorded one by one, so that an interrupted build is resumed."""

import logging
import multiprocessing
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trainables.common.background import run_ahead
from trainables.common.errors import UserError
from trainables.common.reporter import Reporter
from trainables.data.copies.copy_summary import KeptReason
from trainables.data.decoding.bad_images import OnBadImage, bad_image_error
from trainables.data.sources.source import RawSet
from trainables.data.splits import SplitName, Splits
from trainables.data.store.building.chunk import (
    CHUNK_IMAGES,
    Chunk,
    ChunkDecoder,
    ChunkStatistics,
    ChunkWork,
    decode_in_process,
    start_decoder_process,
)
from trainables.data.store.building.finished_chunks import FinishedChunk, read_finished_chunks
from trainables.data.store.building.summary_builder import SummaryBuilder
from trainables.data.store.building.whole_chunks import WholeChunkDecoder, WholePixels
from trainables.data.store.data_summary import DataSummary
from trainables.data.store.image_columns import collect_columns, write_columns
from trainables.data.store.stored_images import IMAGES_FILE
from trainables.storage.cache import discard
from trainables.storage.folders import files_below

logger = logging.getLogger(__name__)

SPLITS_OF_FOLDER: dict[str, tuple[SplitName, ...]] = {"": ("train", "val"), "test": ("test",)}
"""Splits in each folder of a store."""
PROCESSES_FROM = 4096
"""Encoded images from which processes are used: 2 are twice as fast as 2 threads, but take a second to start."""
BLOCK_BYTES = 512
"""Unit of `st_blocks`, by POSIX."""
FINISHED_CHUNKS_FILE = "finished"
"""File in a store being built with a line for each finished chunk."""


@dataclass(frozen=True)
class BuildRules:
    """Which images a store is without."""

    on_bad: OnBadImage = "fail"
    """Whether a bad image is an error, or is left out."""
    kept: KeptReason = ""
    """Why copies of held-out images stay in train and val; empty: they are left out."""


DEFAULT_RULES = BuildRules()


def build_store(
    raw: RawSet, splits: Splits, words: str, folder: Path, reporter: Reporter, rules: BuildRules = DEFAULT_RULES
) -> DataSummary:
    """Build the store of `raw` in `folder`, or resume its build; returns the summary, without an origin.

    Memory is bounded by the chunks in progress, and 28 bytes an image. Decoding is the same for all rules, so a build
    that failed on a bad image is resumed when bad images are to be skipped. Raises `UserError` for a bad image, a class
    that has no other images in a split, a full disk, or a decoding process that was killed.
    """
    _write_labels(raw, splits, folder)
    _check_room(raw, splits, folder)
    chunks = list(_plan_chunks(splits))
    recorded = read_finished_chunks(folder / FINISHED_CHUNKS_FILE)
    tally = SummaryBuilder(raw, splits, folder, reporter)
    if recorded:
        logger.info(
            f"{raw.name}: resuming from {len(recorded):,} of {len(chunks):,} chunks that an earlier run finished"
        )
    with (folder / FINISHED_CHUNKS_FILE).open("a") as record:
        if not raw.whole:
            _create_arrays(raw, splits, folder)
        decode = _decode_whole if raw.whole else _decode_equal
        for chunk, examined in decode(raw, chunks, recorded, folder):
            finished = examined.to_record(chunk.number)
            if recorded.get(chunk.number) != finished:
                record.write(finished.line)
                record.flush()
            if examined.bad and rules.on_bad == "fail":
                raise bad_image_error(raw.name, [image for _, image in sorted(examined.bad.items())])
            tally.add(chunk, examined)
    return tally.finish(words, rules.kept)


def discard_invalid_build(folder: Path) -> None:
    """Discard an unfinished store that holds anything but regular files and the folder `test`."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        return discard(folder)
    files = {path for _, path in files_below(folder)} if folder.is_dir() else set()
    odd = [path for path in folder.rglob("*") if path not in files and path != folder / "test"] if files else []
    if odd or (folder / "test").is_file():
        discard(folder)
    return None


def delete_build_record(folder: Path) -> None:
    """Delete the record of finished chunks, which only a build needs."""
    (folder / FINISHED_CHUNKS_FILE).unlink()


def _write_labels(raw: RawSet, splits: Splits, folder: Path) -> None:
    """Write labels and columns."""
    for name, members in SPLITS_OF_FOLDER.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        labels = np.concatenate([raw.parts[part].labels[rows] for part, rows in (splits[split] for split in members)])
        np.save(folder / name / "labels.npy", labels)
        write_columns(folder / name, collect_columns(raw.parts, [splits[split] for split in members]))


def _check_room(raw: RawSet, splits: Splits, folder: Path) -> None:
    """Raise `UserError` where the disk has not the bytes that the images need; a full one kills who maps a file."""
    count = sum(len(rows) for _, rows in splits.values())
    pixels = raw.whole.mean_pixels if raw.whole else raw.height * raw.width
    files = [file for name in SPLITS_OF_FOLDER if (file := folder / name / IMAGES_FILE).is_file()]
    written = sum(BLOCK_BYTES * file.stat().st_blocks for file in files)
    free, needed = shutil.disk_usage(folder).free, count * raw.channels * pixels
    if free + written < needed:
        raise UserError(f"cache {str(folder.parent)!r}: has {free:,} bytes free, {raw.name!r} needs {needed:,}")


def _create_arrays(raw: RawSet, splits: Splits, folder: Path) -> None:
    """Create the files of images of one size; those of an interrupted build are kept."""
    for name, members in SPLITS_OF_FOLDER.items():
        count = sum(len(splits[split][1]) for split in members)
        file, shape = folder / name / IMAGES_FILE, (count, raw.channels, raw.height, raw.width)
        if not _has_shape(file, shape):
            np.lib.format.open_memmap(file, mode="w+", dtype=np.uint8, shape=shape)


def _has_shape(file: Path, shape: tuple[int, ...]) -> bool:
    try:
        return bool(np.load(file, mmap_mode="r").shape == shape)
    except (OSError, ValueError, EOFError):
        return False


def _plan_chunks(splits: Splits) -> Iterator[Chunk]:
    number = 0
    for name, members in SPLITS_OF_FOLDER.items():
        start = 0
        for split in members:
            part, rows = splits[split]
            for first in range(0, len(rows), CHUNK_IMAGES):
                piece = rows[first : first + CHUNK_IMAGES]
                yield Chunk(number, name, start, split, part, piece)
                number, start = number + 1, start + len(piece)


def _decode_equal(
    raw: RawSet, chunks: list[Chunk], recorded: dict[int, FinishedChunk], folder: Path
) -> Iterator[tuple[Chunk, ChunkStatistics]]:
    """Decode images of one size into their places in the store; yields the chunks in order."""
    filler = ChunkDecoder(folder, {name: part.decode for name, part in raw.parts.items()})
    yield from _decode_chunks(raw, filler, chunks, recorded)


def _decode_whole(
    raw: RawSet, chunks: list[Chunk], recorded: dict[int, FinishedChunk], folder: Path
) -> Iterator[tuple[Chunk, ChunkStatistics]]:
    """Decode images that are stored whole, from the first chunk on that is not finished; yields all in order."""
    pixels, done = WholePixels(folder, raw.channels), 0
    for chunk, examined in pixels.find_finished(chunks, recorded):
        done += 1
        yield chunk, examined
    pixels.begin(list(SPLITS_OF_FOLDER))
    decoder = WholeChunkDecoder(folder, {name: part.decode for name, part in raw.parts.items()}, raw.channels)
    try:
        for chunk, examined in _decode_chunks(raw, decoder, chunks[done:], {}):
            pixels.append(chunk)
            yield chunk, examined
        pixels.finish()
    except OSError as error:
        raise UserError(f"cache {str(folder.parent)!r}: cannot be written ({error.strerror or error})") from error


def _decode_chunks(
    raw: RawSet, decoder: ChunkWork, chunks: list[Chunk], recorded: dict[int, FinishedChunk]
) -> Iterator[tuple[Chunk, ChunkStatistics]]:
    """Let processes or threads decode the chunks; yields them in order."""
    workers, done = os.cpu_count() or 1, 0
    pool: Executor
    if raw.encoded and sum(len(chunk.rows) for chunk in chunks) >= PROCESSES_FROM:
        # Spawned, since a fork would copy the locks of other threads.
        pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), start_decoder_process, (decoder,))
        work: ChunkWork = decode_in_process
    else:
        pool, work = ThreadPoolExecutor(workers), decoder
    try:
        jobs = ((chunk, pool.submit(work, chunk, recorded.get(chunk.number))) for chunk in chunks)
        for chunk, examined in run_ahead(jobs, ahead=4 * workers):
            done += 1
            yield chunk, examined
    except BrokenProcessPool as error:
        # A pool starts jobs in order, and queues one more than it has processes.
        first, last = chunks[done], chunks[min(done + 2 * workers, len(chunks) - 1)]
        raise UserError(
            f"--data {raw.name!r}: a decoding process was killed, perhaps for want of memory, at an image from "
            f"{_image_name(raw, first, 0)} to {_image_name(raw, last, -1)}; the "
            "same command resumes from what is finished"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _image_name(raw: RawSet, chunk: Chunk, place: int) -> str:
    return raw.parts[chunk.part].name(int(chunk.rows[place]))
