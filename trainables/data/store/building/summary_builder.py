"""Builds a store's summary from its chunks, in order, and completes that of a finished store."""

from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.common.errors import UserError
from trainables.common.reporter import Reporter
from trainables.data.copies.copy_summary import KeptReason
from trainables.data.copies.find_copies import SPLIT_ORDER, SplitImages
from trainables.data.copies.perceptual_hash import Hashes
from trainables.data.data_options import DataOptions
from trainables.data.decoding.bad_images import BadImage, lost_class_error, write_bad_images
from trainables.data.decoding.stored_size import MIN_SIDE
from trainables.data.finals_validation import choose_finals_validation
from trainables.data.layouts.left_out_counts import count_left_out
from trainables.data.sources.source import RawSet
from trainables.data.sources.source_registry import kept_reason
from trainables.data.splits import SPLIT_SEED, SplitName, Splits, has_own_validation
from trainables.data.store.building.chunk import Chunk, ChunkStatistics
from trainables.data.store.building.leave_out_copies import leave_out_copies
from trainables.data.store.data_summary import DataSummary
from trainables.data.store.group_summary import load_groups, summarize_groups, write_shared_groups
from trainables.data.store.image_columns import hash_columns, load_columns
from trainables.data.store.image_origins import collect_origins, write_origins
from trainables.data.store.shared_store import SUMMARY_FILE
from trainables.data.store.store_arrays import (
    HEADER_BYTES,
    begin_fingerprint,
    compute_fingerprint,
    map_pixels,
    remove_rows,
)
from trainables.data.store.stored_images import IMAGES_FILE, SIZES_FILE
from trainables.storage.files import read_record


class SummaryBuilder:
    """Adds up the chunks of a store that is built in `folder`, in order, then finishes the store."""

    def __init__(self, raw: RawSet, splits: Splits, folder: Path, reporter: Reporter) -> None:
        """Start without chunks."""
        self._raw, self._splits, self._folder, self._reporter = raw, splits, folder, reporter
        self._fingerprint = begin_fingerprint(raw.classes)
        self._sums = np.zeros((2, raw.channels), np.int64)
        self._digests: dict[SplitName, list[NDArray[np.bytes_]]] = defaultdict(list)
        self._hashes: dict[SplitName, list[Hashes]] = defaultdict(list)
        self._bad: dict[SplitName, dict[int, BadImage]] = defaultdict(dict)
        self._holes: dict[str, list[int]] = defaultdict(list)
        self._sizes: dict[str, list[NDArray[np.int32]]] = defaultdict(list)
        self._ends: dict[str, int] = defaultdict(lambda: HEADER_BYTES)
        self._train_pixels = 0
        self._total, self._done = sum(len(rows) for _, rows in splits.values()), 0

    def add(self, chunk: Chunk, examined: ChunkStatistics) -> None:
        """Add the next chunk, and report the progress."""
        if chunk.start == 0:
            self._hash_sizes()
            labels = np.load(self._folder / chunk.folder / "labels.npy")
            self._fingerprint.update(labels.tobytes())
            hash_columns(self._fingerprint, self._folder / chunk.folder, len(labels))
        self._hash_pixels(chunk, examined)
        if chunk.split == "train":
            self._sums += examined.sums
            self._train_pixels += int(examined.sizes.prod(axis=1, dtype=np.int64).sum())
        before = sum(map(len, self._digests[chunk.split]))
        for at, image in examined.bad.items():
            self._bad[chunk.split][before + at] = image
            self._holes[chunk.folder].append(chunk.start + at)
        self._digests[chunk.split].append(examined.digests)
        self._hashes[chunk.split].append(examined.hashes)
        self._done += len(chunk.rows)
        self._reporter.progress(f"{self._raw.name}: images prepared", self._done, self._total)

    def finish(self, words: str, kept: KeptReason = "") -> DataSummary:
        """Remove bad images, and copies of held-out ones unless they are `kept`, list both, and return the summary.

        `words` describes the splits. Raises `UserError` if a class, or a split, would have no image left.
        """
        raw, good = self._raw, {split: self._good_images(split) for split in SPLIT_ORDER}
        self._hash_sizes()
        for folder, sizes in self._sizes.items():
            np.save(self._folder / folder / SIZES_FILE, np.concatenate(sizes))
        for folder, rows in self._holes.items():
            remove_rows(self._folder / folder, rows)
        bad = [*raw.bad_images, *(image for found in self._bad.values() for image in found.values())]
        if bad:
            write_bad_images(self._folder, bad)
        found = leave_out_copies(raw, self._folder, good, kept)
        test = self._splits["test"][0]
        write_origins(self._folder / "test", collect_origins(raw.parts[test], test, found.splits["test"].rows))
        changed = self._holes or found.summary.left_out
        fingerprint = compute_fingerprint(self._folder, raw.classes) if changed else self._fingerprint.hexdigest()
        counts = {split: len(images.rows) for split, images in found.splits.items()}
        pixels = (self._train_pixels or len(good["train"].rows) * raw.height * raw.width) - found.gone_pixels
        height, width = (self._largest_side(),) * 2 if raw.whole else (raw.height, raw.width)
        sums = self._sums - found.gone_sums
        mean, square = sums[0] / (255 * pixels), sums[1] / (255**2 * pixels)
        return DataSummary(
            name=raw.name, path=str(self._folder), origin="", classes=raw.classes,
            channels=raw.channels, height=height, width=width, aspect_kept=raw.whole is not None, **counts,
            mean=tuple(mean), std=tuple(np.sqrt(np.maximum(square - mean**2, 1e-8))), split=words,
            split_seed=SPLIT_SEED, skipped=len(bad), leaked=found.summary.still_equal, copies=found.summary,
            fingerprint=fingerprint,
        )  # fmt: skip

    def _hash_pixels(self, chunk: Chunk, examined: ChunkStatistics) -> None:
        """Add the pixels of the next chunk to the fingerprint."""
        if not self._raw.whole:
            return self._fingerprint.update(chunk.images(self._folder).data)
        file, start = self._folder / chunk.folder / IMAGES_FILE, self._ends[chunk.folder]
        self._ends[chunk.folder] += examined.count_bytes(self._raw.channels)
        self._fingerprint.update(map_pixels(file, start, self._ends[chunk.folder] - start).data)
        self._sizes[chunk.folder].append(examined.sizes)
        return None

    def _hash_sizes(self) -> None:
        """Add the sizes of whole images to the fingerprint, after the pixels of their folder, which is the last one."""
        for sizes in self._sizes[next(reversed(self._sizes))] if self._sizes else ():
            self._fingerprint.update(sizes.tobytes())

    def _largest_side(self) -> int:
        """The largest shorter side of whole images, in pixels."""
        sides = (int(sizes.min(axis=1).max()) for found in self._sizes.values() for sizes in found)
        return max(MIN_SIDE, *sides)

    def _good_images(self, split: SplitName) -> SplitImages:
        """The split's good images."""
        part, rows = self._splits[split]
        if not len(rows):
            raise UserError(f"--data {self._raw.name!r}: there are no images in {part!r}, which is {split}")
        bad = sorted(self._bad[split])
        good = np.delete(rows, bad)
        labels, classes = self._raw.parts[part].labels, len(self._raw.classes)
        emptied = np.bincount(labels[rows], minlength=classes).astype(bool)
        emptied &= np.bincount(labels[good], minlength=classes) == 0
        if emptied.any():
            label = int(emptied.argmax())
            first = next(self._bad[split][at] for at in bad if labels[rows[at]] == label)
            raise lost_class_error(f"--data {self._raw.name!r}", self._raw.classes[label], split, first)
        digests, hashes = np.concatenate(self._digests[split]), np.concatenate(self._hashes[split])
        every = SplitImages(digests, hashes, labels[rows], rows, self._raw.parts[part].name)
        return every.without(np.array(bad, np.int64))


def complete_summary(raw: RawSet, folder: Path, origin: str, options: DataOptions) -> DataSummary:
    """Summary of a finished store, completed with facts about its source; lists the groups in two splits beside it."""
    stored = read_record(folder / SUMMARY_FILE, DataSummary)
    # Counted here rather than when building, so that older stores need not be rebuilt.
    labels, classes = np.load(folder / "labels.npy"), len(stored.classes)
    groups, column = load_groups(folder, stored.train), load_columns(folder).get("groups")
    if groups is not None:
        write_shared_groups(folder, groups, raw.group_names)
    held_out = {"val": labels[stored.train :], "test": np.load(folder / "test" / "labels.npy")}
    absent = {
        split: tuple(stored.classes[i] for i in np.flatnonzero(np.bincount(found, minlength=classes) == 0).tolist())
        for split, found in held_out.items()
    }
    return stored.model_copy(
        update={
            "path": str(folder), "origin": origin, "options": options.model_copy(update={"on_bad_image": "fail"}),
            "copies": stored.copies and stored.copies.model_copy(update={"kept": kept_reason(origin, options)}),
            "split_sources": dict(raw.layout.sources),
            "counts": tuple(np.bincount(labels[: stored.train], minlength=classes).tolist()),
            "left_out": count_left_out(raw.layout.left_out),
            "finals": choose_finals_validation(labels, stored.train, has_own_validation(raw), column),
            "grouping": None if groups is None else summarize_groups(groups, raw.group_names, options),
            "absent": {split: names for split, names in absent.items() if names},
        }
    )  # fmt: skip
