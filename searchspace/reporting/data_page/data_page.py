"""One HTML file that shows what was understood of a data set: its splits, classes, images, and what is left out."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from searchspace.cli.console_log import format_line
from searchspace.preparation.data_plan import SPLIT_ORDER, DataPlan, format_plan
from searchspace.reporting.data_page.class_images import show_classes
from searchspace.reporting.html.answer import Tile
from searchspace.reporting.html.blocks import Table
from searchspace.reporting.html.rendering import read_asset, render_page
from trainables.common.escaping import printable
from trainables.data.overview import DataOverview, format_overview
from trainables.data.sources.source import RawSet

ROWS_SHOWN = 1000
"""Most rows of a table on the page."""


@dataclass(frozen=True)
class ClassRow:
    """One class in the table of classes."""

    name: str
    """Its name."""
    counts: tuple[int, ...]
    """Its images in each part."""
    share: float
    """Its images, in percent of those of the largest class."""


def render_data_page(raw: RawSet, overview: DataOverview, plan: DataPlan) -> str:
    """The page of an opened data set; decodes the images that it shows."""
    said = (*format_overview(overview, listed=False), *format_plan(plan, overview))
    lines = [format_line(level, line) for level, line in said]
    images = sum(int(counts.sum()) for counts in overview.counts.values())
    bad = [{"image": image.name, "reason": image.reason} for image in overview.bad[:ROWS_SHOWN]]
    files = overview.layout.left_out
    left_out = [{"path": file.path, "reason": str(file.reason), "kind": file.kind} for file in files[:ROWS_SHOWN]]
    return render_page(
        "data.html", {"tables": read_asset("tables.js")}, name=overview.name, tiles=list(_tiles(overview, plan)),
        headline=f"{len(overview.classes):,} classes, {images:,} images", lines=lines,
        obstacle=str(plan.obstacle) if plan.obstacle else "", parts=_in_order(overview),
        classes=_class_rows(overview)[:ROWS_SHOWN], pictures=list(show_classes(raw)), limit=ROWS_SHOWN,
        totals={"classes": len(overview.classes), "bad": len(overview.bad), "left_out": len(files)},
        bad=Table(bad, whole=True), left_out=Table(left_out, whole=True),
    )  # fmt: skip


def _in_order(overview: DataOverview) -> list[str]:
    return [part for part in SPLIT_ORDER if part in overview.counts]


def _class_rows(overview: DataOverview) -> list[ClassRow]:
    counts = np.stack([overview.counts[part] for part in _in_order(overview)])
    totals = counts.sum(axis=0)
    most = max(1, int(totals.max()))
    return [
        ClassRow(printable(name), tuple(counts[:, label].tolist()), round(100 * float(totals[label]) / most, 1))
        for label, name in enumerate(overview.classes)
    ]


def _tiles(overview: DataOverview, plan: DataPlan) -> Iterator[Tile]:
    for split, count in plan.splits.items():
        yield Tile(f"{count:,}", split, "images")
    if plan.splits:
        colours = "grey" if plan.shape.channels == 1 else "RGB"
        yield Tile(f"{plan.stored_bytes / 1e6:,.1f} MB", "stored", f"{plan.stored_size}, {colours}")
    yield Tile(f"{len(overview.bad):,}", "unusable", "images, by their headers")
    yield Tile(f"{len(overview.layout.left_out):,}", "left out", "files and folders")
