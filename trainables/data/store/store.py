"""The uint8 store: a data set decoded once for each node, memory-mapped by all workers, with a fingerprint."""

import logging
import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from trainables.common.errors import UserError
from trainables.common.reporter import Reporter, SilentReporter
from trainables.config import Fold, Kind
from trainables.data.data_options import DataOptions
from trainables.data.decoding.bad_images import bad_image_error, read_bad_images
from trainables.data.finals_validation import Partition
from trainables.data.folds import FoldPartitions
from trainables.data.layouts.left_out_counts import write_left_out
from trainables.data.overview import examine, format_overview
from trainables.data.sources.source_registry import kept_reason, open_source
from trainables.data.splits import make_splits
from trainables.data.store.building.build import BuildRules, build_store, delete_build_record, discard_invalid_build
from trainables.data.store.building.summary_builder import complete_summary
from trainables.data.store.data_summary import DataSummary
from trainables.data.store.file_digests import compute_digests, find_damage, write_digests
from trainables.data.store.image_columns import ImageColumns, load_columns
from trainables.data.store.image_origins import Origins, read_origins
from trainables.data.store.shared_store import SUMMARY_FILE, fetch_store
from trainables.data.store.store_places import StorePlaces
from trainables.data.store.stored_images import StoredImages
from trainables.storage.cache import discard, read_cached
from trainables.storage.folders import files_below

logger = logging.getLogger(__name__)

TEST_FOLDER = "test"


RowSelection = Literal["train", "val", "trainval", "final-train", "final-val"]
TRAINED_ON: dict[Kind, RowSelection] = {
    "search": "train", "probe": "train", "test": "train", "final": "final-train", "winner": "trainval",
}  # fmt: skip
"""Rows that each kind of assignment trains on."""
SCORED_ON: dict[Kind, RowSelection] = {
    "search": "val",
    "probe": "val",
    "test": "val",
    "final": "final-val",
    "winner": "val",
}
"""Rows that each kind of assignment is scored on."""


class LockedSplitError(RuntimeError):
    """The test split was requested without the permit of a retrained winner."""


@dataclass(frozen=True)
class Store:
    """An opened store; arrays are memory-mapped, so every process on a node shares their pages."""

    summary: DataSummary
    """Shapes, counts and statistics."""
    images: np.memmap[Any, np.dtype[np.uint8]]
    """Images of train, then val: n x channels x height x width."""
    labels: NDArray[np.int64]
    """Label of each image."""
    columns: ImageColumns = field(default_factory=ImageColumns)
    """Group and weight of each image, where the source has them."""

    @property
    def groups(self) -> NDArray[np.int64] | None:
        """Number of each image's group, -1 for one that is a group of its own; None: no groups."""
        return self.columns.groups

    @property
    def weights(self) -> NDArray[np.float32] | None:
        """Weight of each image in losses and weighted metrics; None: 1 for all."""
        return self.columns.weights

    @property
    def path(self) -> Path:
        """Folder of the store."""
        return Path(self.summary.path)

    def rows(self, split: RowSelection, fold: Fold | None = None) -> NDArray[np.int64]:
        """Rows of a split within `images`: `train` and `val` of the search, those of the finals or a `fold`, or all."""
        if split == "trainval":
            return np.arange(len(self.labels))
        found = self._partition if fold is None else self._folds.partition(fold)
        return {
            "train": found.train, "val": found.val, "final-train": found.final_train, "final-val": found.final_val,
        }[split]  # fmt: skip

    @cached_property
    def _folds(self) -> FoldPartitions:
        return FoldPartitions(self._partition, self.labels, self.groups)

    @cached_property
    def _partition(self) -> Partition:
        return Partition.from_labels(self.labels, self.summary.train, self.summary.finals.source, self.groups)

    def open_test(self, permit: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Open images and labels of the test split; raises `LockedSplitError` unless the file `permit` exists.

        The files are checked completely first; if they are damaged, the store is rebuilt.
        """
        self._check_permit(permit)
        folder = self._undamaged_folder() / TEST_FOLDER
        return _load_images(folder), np.load(folder / "labels.npy")

    @cached_property
    def stored(self) -> StoredImages:
        """Images of train, then val, of any layout."""
        return StoredImages.open(self.path, self.summary.channels)

    def open_test_stored(self, permit: Path) -> tuple[StoredImages, NDArray[np.int64]]:
        """The same as `open_test`, with images of any layout."""
        self._check_permit(permit)
        folder = self._undamaged_folder() / TEST_FOLDER
        return StoredImages.open(folder, self.summary.channels), np.load(folder / "labels.npy")

    def open_test_columns(self, permit: Path) -> ImageColumns:
        """Read groups and weights of the test images; raises `LockedSplitError` unless the file `permit` exists."""
        self._check_permit(permit)
        return ImageColumns(**load_columns(self._undamaged_folder() / TEST_FOLDER))

    def open_test_origins(self, permit: Path) -> Origins:
        """Read the origins of the test images; raises `LockedSplitError` unless the file `permit` exists."""
        self._check_permit(permit)
        return read_origins(self._undamaged_folder() / TEST_FOLDER)

    def _undamaged_folder(self) -> Path:
        """Folder of this store, or of a rebuilt one, whose test split is undamaged."""
        damage = find_damage(self.path, within=f"{TEST_FOLDER}/", complete=True)
        return _rebuild(self.summary, damage).path if damage else self.path

    def _check_permit(self, permit: Path) -> None:
        if not permit.is_file():
            raise LockedSplitError(f"the test split of {self.summary.name} is locked: no permit {permit}")


def open_store(summary: DataSummary) -> Store:
    """Open the store of a running search; a missing or damaged store is downloaded or rebuilt first.

    Raises `UserError` if that fails, or gives other images.
    """
    damage = _find_fault(Path(summary.path), summary)
    return _rebuild(summary, damage) if damage else _open_arrays(summary)


def _find_fault(folder: Path, summary: DataSummary) -> str:
    """Why `folder` is not the undamaged store of `summary`; empty if it is."""
    return find_damage(folder) or _find_difference(folder, summary)


def _find_difference(folder: Path, summary: DataSummary) -> str:
    """The first difference between the store in `folder` and `summary`; empty if there is none."""
    found = read_cached(folder / SUMMARY_FILE, DataSummary)
    if found is None:
        return f"{SUMMARY_FILE} cannot be read"
    for name in ("fingerprint", "classes", "channels", "height", "width", "aspect_kept", "train", "val", "test"):
        if getattr(found, name) != getattr(summary, name):
            return f"{name} {getattr(found, name)}, not {getattr(summary, name)}"
    return ""


def _rebuild(summary: DataSummary, damage: str) -> Store:
    """Download or rebuild the store of `summary`; raises `UserError`, naming the damage, if that fails."""
    try:
        if summary.shared:
            return _open_arrays(fetch_store(summary))
        prepared = prepare_data(summary.origin, options=summary.options_to_repeat)
    except (UserError, OSError) as error:
        raise UserError(
            f"the prepared images of {summary.name!r} in {summary.path!r} are damaged ({damage}), and cannot be made "
            f"again: {error}; once that is mended, the same command, or --resume of a search, makes them"
        ) from error
    if prepared.fingerprint != summary.fingerprint:
        raise UserError(
            f"--data {summary.origin!r}: holds other images here than the search's: "
            f"fingerprint {prepared.fingerprint}, not {summary.fingerprint}"
        )
    return _open_arrays(summary.model_copy(update={"path": prepared.path}))


def _open_arrays(summary: DataSummary) -> Store:
    folder = Path(summary.path)
    images, labels = _load_images(folder), np.load(folder / "labels.npy")
    return Store(summary=summary, images=images, labels=labels, columns=ImageColumns(**load_columns(folder)))


def prepare_data(origin: str, reporter: Reporter | None = None, options: DataOptions | None = None) -> DataSummary:
    """Find or build the store of what `--data` names, and return its summary; an interrupted build is resumed.

    A damaged store is discarded and rebuilt. Bad images are refused unless they are to be skipped.
    Raises `UserError` if the data cannot be used, naming the bad image, missing class or wrong path.
    """
    options, reporter = options or DataOptions(), reporter or SilentReporter()
    raw, on_bad = open_source(origin, options), options.on_bad_image
    if raw.layout.sources:
        for level, line in format_overview(examine(raw)):
            logger.log(level, line)
    places, kept = StorePlaces.choose(raw, options), kept_reason(origin, options)
    places.whole.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(str(places.whole) + ".lock"):
        folder = places.find(kept)
        bad = read_bad_images(folder or places.whole) or raw.bad_images
        if bad and on_bad == "fail":
            raise bad_image_error(raw.name, bad)
        if folder is None:
            splits, words = make_splits(raw)
            count = sum(len(rows) for _, rows in splits.values())
            logger.info(f"preparing {raw.name}: decoding {count:,} images once into {places.whole}")
            building = places.building
            discard_invalid_build(building)
            summary = build_store(raw, splits, words, building, reporter, BuildRules(on_bad, kept))
            stored = summary.model_copy(update={"path": ""})  # independent of the place where it is built
            (building / SUMMARY_FILE).write_text(stored.model_dump_json(indent=1), encoding="utf-8")
            delete_build_record(building)
            write_digests(building, compute_digests(building, [name for name, _ in files_below(building)]))
            folder = places.choose_folder(summary)
            if os.path.lexists(folder):  # of an earlier version, or one that was found to be damaged
                discard(folder)
            building.rename(folder)
        write_left_out(folder, raw.layout.left_out, read_bad_images(folder))
    return complete_summary(raw, folder, origin, options)


def _load_images(folder: Path) -> np.memmap[Any, np.dtype[np.uint8]]:
    # Copy-on-write keeps the pages shared, and lets torch wrap the array without a warning.
    images: np.memmap[Any, np.dtype[np.uint8]] = np.load(folder / "images.npy", mmap_mode="c")
    return images
