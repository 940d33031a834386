"""What was understood of a data set that was opened, before anything is decoded, in some lines."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from trainables.common.escaping import printable
from trainables.data.decoding.bad_images import BadImage
from trainables.data.layouts.detected_layout import DetectedLayout, describe_layout, list_names
from trainables.data.layouts.left_out_counts import count_left_out, format_left_out
from trainables.data.sources.source import RawSet

WARNINGS_SHOWN = 5
"""Number of warnings about a layout."""
Line = tuple[int, str]
"""A level of `logging`, and a line."""
Sizes = NDArray[np.int64]
"""Height and width of images, in pixels, shape (n, 2)."""


@dataclass(frozen=True)
class DataOverview:
    """An opened data set in numbers."""

    name: str
    """Its short name."""
    layout: DetectedLayout
    """How the files were read."""
    classes: tuple[str, ...]
    """Class names, in label order."""
    counts: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    """Images of each class, by part; those with a bad header are not among them."""
    sizes: Sizes = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    """Sizes of the images, or of a sample, by their headers."""
    channels: int = 3
    """1 for grey images, 3 for RGB."""
    groups: tuple[int, ...] = ()
    """Number of images of each group, over all parts; empty if the images have no groups."""
    shared_groups: int = 0
    """Groups that are in more than one part."""
    weights: tuple[float, float] | None = None
    """Smallest and largest weight of an image; None without weights."""
    bad: tuple[BadImage, ...] = ()
    """Images with a header that cannot be used."""


def examine(raw: RawSet) -> DataOverview:
    """The overview of an opened data set; nothing is decoded."""
    parts = raw.parts.values()
    groups = [part.groups for part in parts if part.groups is not None]
    weights = [part.weights for part in parts if part.weights is not None and len(part.weights)]
    return DataOverview(
        name=raw.name,
        layout=raw.layout,
        classes=raw.classes,
        counts={name: np.bincount(part.labels, minlength=len(raw.classes)) for name, part in raw.parts.items()},
        sizes=_find_sizes(raw),
        channels=raw.channels,
        groups=_count_groups(np.concatenate(groups)) if groups else (),
        shared_groups=_count_shared(groups),
        weights=(min(float(w.min()) for w in weights), max(float(w.max()) for w in weights)) if weights else None,
        bad=raw.bad_images,
    )


def format_overview(overview: DataOverview, listed: bool = True) -> list[Line]:
    """The lines that are logged before the images are decoded, the same in every command.

    They name the list of the files that are left out where it is written.
    """
    layout, counts = overview.layout, {part: int(found.sum()) for part, found in overview.counts.items()}
    return [
        (logging.INFO, describe_layout(layout, counts)),
        (logging.INFO, f"{len(overview.classes):,} classes: {list_names(overview.classes)}"),
        *((logging.INFO, line) for line in _describe_images(overview)),
        *((logging.WARNING, line) for line in _shorten(layout.warnings)),
        *format_left_out(count_left_out(layout.left_out), listed),
    ]


def format_balance(classes: Sequence[str], counts: NDArray[np.int64]) -> str:
    """The classes with the fewest and the most training images."""
    few, many = int(counts.argmin()), int(counts.argmax())
    fewest, most = counts[few], counts[many]
    if fewest == most:
        return f"{fewest:,} in each class"
    return f"{fewest:,} ({printable(classes[few])!r}) to {most:,} ({printable(classes[many])!r}) in a class"


def _count_shared(groups: Sequence[NDArray[np.int64]]) -> int:
    """Groups that are in more than one of several parts."""
    known = [np.unique(found[found >= 0]) for found in groups]
    _, parts = np.unique(np.concatenate([np.zeros(0, np.int64), *known]), return_counts=True)
    return int((parts > 1).sum())


def _shorten(warnings: Sequence[str]) -> list[str]:
    """The first warnings, and the number of the others."""
    more = len(warnings) - WARNINGS_SHOWN
    return [*warnings[:WARNINGS_SHOWN], *([f"and {more:,} more of that kind"] if more > 0 else [])]


def _describe_images(overview: DataOverview) -> Iterator[str]:
    """Lines on sizes, groups and weights, as far as they are known."""
    if len(overview.sizes):
        yield f"images: {_format_sizes(overview.sizes)}, {'grey' if overview.channels == 1 else 'RGB'}"
    if sizes := overview.groups:
        shared = overview.shared_groups
        split = f"{shared:,} in more than one of the given splits" if shared else "each stays in one split"
        yield f"groups: {len(sizes):,} of up to {max(sizes):,} images; {split}"
    if overview.weights is not None:
        yield "weights: {:g} to {:g}".format(*overview.weights)


def _format_sizes(sizes: Sizes) -> str:
    """Smallest, median and largest size, as width x height, and the range of aspects."""
    order = sizes.prod(axis=1).argsort(kind="stable")
    shown = [f"{width}x{height}" for height, width in sizes[order[[0, len(order) // 2, -1]]].tolist()]
    if len(np.unique(sizes, axis=0)) == 1:
        return f"all {shown[0]} pixels (width x height)"
    aspects = sizes[:, 1] / sizes[:, 0]
    return (
        f"{shown[0]} to {shown[2]} pixels (width x height), median {shown[1]}; "
        f"width / height {aspects.min():.2g} to {aspects.max():.2g}"
    )


def _find_sizes(raw: RawSet) -> Sizes:
    """Sizes that the headers told, of arrays that of their images."""
    told = [size for part in raw.parts.values() if part.size for size in map(part.size, range(len(part.labels)))]
    known = told or raw.sizes or ([] if raw.encoded else [(raw.height, raw.width)])
    return np.array(known, np.int64).reshape(-1, 2)


def _count_groups(groups: NDArray[np.int64]) -> tuple[int, ...]:
    """Images of each group; -1 is a group of its own."""
    single = int((groups < 0).sum())
    return (*np.unique(groups[groups >= 0], return_counts=True)[1].tolist(), *([1] * single))
