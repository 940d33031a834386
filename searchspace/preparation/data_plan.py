"""What a search will do with a data set that was opened: its splits, its store, and what keeps it from beginning."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from searchspace.preparation.data_issues import describe_absent
from searchspace.spaces import MIN_IMBALANCE
from trainables.common.errors import UserError
from trainables.data.data_options import DataOptions
from trainables.data.decoding.bad_images import bad_image_error
from trainables.data.decoding.stored_size import StoredShape
from trainables.data.overview import DataOverview, Line, format_balance
from trainables.data.sources.source import RawSet
from trainables.data.splits import SplitName, make_splits

SPLIT_ORDER: tuple[SplitName, ...] = ("train", "val", "test")


@dataclass(frozen=True)
class DataPlan:
    """How a search would split and store a data set."""

    splits: dict[SplitName, int]
    """Images of each split; empty if they cannot be made."""
    words: str
    """How the splits are made."""
    absent: dict[str, tuple[str, ...]]
    """Classes without images in a held-out split."""
    shape: StoredShape
    """Size and channels of stored images."""
    obstacle: UserError | None = None
    """Why a search could not begin; None if it could."""

    @property
    def stored_bytes(self) -> int:
        """Bytes of the store's images; of whole ones, as far as sizes are known."""
        shape = self.shape
        pixels = shape.whole.mean_pixels if shape.whole else shape.height * shape.width
        return sum(self.splits.values()) * pixels * shape.channels

    @property
    def stored_size(self) -> str:
        """Size of stored images, in words."""
        shape = self.shape
        if shape.whole:
            return f"whole images, shorter side at most {shape.height} pixels"
        return f"{shape.width}x{shape.height} pixels"


def plan_data(raw: RawSet, options: DataOptions) -> DataPlan:
    """How a search with these options would use a data set; nothing is decoded."""
    shape = StoredShape(raw.height, raw.width, raw.channels, raw.whole)
    obstacle = None
    if raw.bad_images and options.on_bad_image == "fail":
        obstacle = bad_image_error(raw.name, raw.bad_images)
    try:
        splits, words = make_splits(raw)
    except UserError as error:
        return DataPlan({}, "", {}, shape, obstacle or error)
    labels = {split: raw.parts[part].labels[rows] for split, (part, rows) in splits.items()}
    absent = {
        split: tuple(name for label, name in enumerate(raw.classes) if not (labels[split] == label).any())
        for split in ("val", "test")
    }
    counts = {split: len(labels[split]) for split in SPLIT_ORDER}
    return DataPlan(counts, words, {split: names for split, names in absent.items() if names}, shape, obstacle)


def format_plan(plan: DataPlan, overview: DataOverview) -> list[Line]:
    """Lines that a search says in other words once its store is built."""
    counts = overview.counts["train"]
    uneven = " (unbalanced)" if counts.max() > MIN_IMBALANCE * max(1, counts.min()) else ""
    return [
        (logging.INFO, f"training images: {format_balance(overview.classes, counts)}{uneven}"),
        *((logging.WARNING, line) for line in describe_absent(plan.absent)),
        *((logging.WARNING, line) for line in _describe_bad(plan, overview)),
        *((logging.INFO, line) for line in _describe_plan(plan)),
    ]


def _describe_bad(plan: DataPlan, overview: DataOverview) -> Iterator[str]:
    if (bad := overview.bad) and not plan.obstacle:
        more = f" and {len(bad) - 1:,} more" if len(bad) > 1 else ""
        yield f"left out as unusable by their headers: {bad[0]}{more}"


def _describe_plan(plan: DataPlan) -> Iterator[str]:
    if plan.splits:
        counts = ", ".join(f"{count:,} {split}" for split, count in plan.splits.items())
        colours = "grey" if plan.shape.channels == 1 else "RGB"
        yield f"splits: {counts} ({plan.words})"
        yield f"store: {plan.stored_size}, {colours}, {plan.stored_bytes / 1e6:,.1f} MB"
