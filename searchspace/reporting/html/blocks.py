"""The blocks of a section of the report: plain data, which `assets/blocks.html` escapes and turns into HTML."""

import html
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from searchspace.finals.reliability import TestPredictions
from searchspace.finals.winner import METRICS_FILE
from searchspace.reporting.results import SearchResults, check_classes
from searchspace.reporting.tables.table import Row
from searchspace.storage.search_folder import SEARCH_RECORD
from trainables.common.escaping import printable
from trainables.metrics.class_metrics import TestMetrics
from trainables.metrics.predictions import PREDICTIONS

MAX_LABEL_LETTERS = 40
"""Letters of a class's name in a figure."""
LONG_CELL_LETTERS = 60
"""Letters of a cell from which on it may take several lines."""
LEGEND = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"}
"""Above a figure, where it grows without covering anything."""

NAME_COLUMNS = {"rank", "trial"}
"""Columns whose numbers are names."""


class MissingError(Exception):
    """A section cannot be drawn, and this is why, in one line."""


@dataclass(frozen=True)
class Note:
    """A paragraph."""

    kind: ClassVar[str] = "note"
    text: str


@dataclass(frozen=True)
class Link:
    """A file beside the report, and what is said of it."""

    kind: ClassVar[str] = "link"
    text: str
    target: str
    """Path from the report's folder."""
    rest: str
    """What follows the link in its sentence."""


@dataclass(frozen=True)
class Code:
    """Something to copy."""

    kind: ClassVar[str] = "code"
    text: str
    title: str = ""
    """If there is one, the code is folded away under it."""


@dataclass(frozen=True)
class Table:
    """Rows that can be sorted by any column."""

    kind: ClassVar[str] = "table"
    rows: Sequence[Row]
    """Each has the same names in the same order; a column that is empty in all of them is left out."""
    title: str = ""
    decimals: Mapping[str, int] = field(default_factory=dict)
    """Digits after the point, for the columns that are to have the same number of them."""
    aside: Collection[str] = ()
    """Columns that are not printed, as paper is narrow."""
    marked: Sequence[int] = ()
    """Rows that stand out, by their place from 0."""
    whole: bool = False
    """Whether columns that are empty in all rows are shown, too."""

    @property
    def columns(self) -> list[str]:
        """Names of the columns that are shown."""
        if self.whole:
            return list(self.rows[0] if self.rows else ())
        return [c for c in (self.rows[0] if self.rows else {}) if any(row[c] not in (None, "") for row in self.rows)]

    @property
    def numeric(self) -> set[str]:
        """Names of the columns that hold numbers only, which stand on the right."""
        return {c for c in self.columns if all(_is_number(row[c]) or row[c] in (None, "") for row in self.rows)}

    @property
    def styles(self) -> dict[str, str]:
        """Classes of the style sheet, by column: on the right, not on paper, of several lines."""
        numeric = self.numeric
        return {c: " ".join(filter(None, (
            "number" if c in numeric else "long" if self._is_long(c) else "",
            "aside" if c in self.aside else "",
        ))) for c in self.columns}  # fmt: skip

    def _is_long(self, column: str) -> bool:
        return any(len(self.show(column, row[column])) > LONG_CELL_LETTERS for row in self.rows)

    def show(self, column: str, value: Any) -> str:
        """A cell's text."""
        if value is None:
            return ""
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, float):
            return f"{value:.{self.decimals[column]}f}" if column in self.decimals else f"{value:g}"
        return f"{value:,}" if isinstance(value, int) and column not in NAME_COLUMNS else printable(str(value))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@dataclass(frozen=True)
class Figure:
    """A Plotly figure; a colour `var(--name)` in it is the style sheet's, by day and by night."""

    kind: ClassVar[str] = "figure"
    name: str
    """Its id in the page."""
    says: str
    """What it shows, for those who cannot see it."""
    traces: Sequence[Mapping[str, Any]]
    layout: Mapping[str, Any]
    """As Plotly has it; `height` in pixels."""
    wide: bool = False
    """Whether a narrow screen scrolls over it, as it would be of no use squeezed."""

    @property
    def content(self) -> dict[str, Any]:
        """What the page's script draws."""
        return {"data": list(self.traces), "layout": dict(self.layout)}


@dataclass(frozen=True)
class Picture:
    """An image and what is said of it."""

    source: str
    """A `data:` URI."""
    lines: Sequence[str] = ()
    tiny: bool = False
    """Whether its pixels are to be seen as squares."""


@dataclass(frozen=True)
class Pictures:
    """Images side by side."""

    kind: ClassVar[str] = "pictures"
    pictures: Sequence[Picture]
    title: str = ""
    sheet: bool = False
    """Whether each is as wide as the page."""


Block = Note | Link | Code | Table | Figure | Pictures


def figure_label(name: str) -> str:
    """A name in a figure, where Plotly would take some HTML for what it says."""
    text = printable(name)
    return html.escape(text if len(text) <= MAX_LABEL_LETTERS else text[:MAX_LABEL_LETTERS] + "…", quote=False)


def axis(title: str, **more: Any) -> dict[str, Any]:
    """A Plotly axis with a title."""
    return {"title": {"text": title, "standoff": 8}, "automargin": True, **more}


def log_axis(title: str, values: Collection[float]) -> dict[str, Any]:
    """A logarithmic Plotly axis for `values`, which are above 0; its ticks are 1, 2 and 5 times powers of 10."""
    low, high = math.log10(min(values)), math.log10(max(values))
    margin = max(0.06 * (high - low), 0.06)
    low, high = low - margin, high + margin
    powers = range(math.floor(low), math.ceil(high) + 1)
    ticks = [step * 10.0**power for power in powers for step in (1, 2, 5) if low <= math.log10(step) + power <= high]
    steps = {"tickvals": ticks, "ticktext": [f"{tick:g}" for tick in ticks]} if len(ticks) > 1 else {"nticks": 5}
    return axis(f"{title}, log scale", type="log", range=[low, high], **steps)


def padded_range(values: Collection[float], least: float) -> list[float]:
    """Range of an axis for `values`, with a margin of at least `least` on either side."""
    margin = max(0.12 * (max(values) - min(values)), least)
    return [min(values) - margin, max(values) + margin]


def require_metrics(results: SearchResults) -> TestMetrics:
    """The winner's test metrics; raises `MissingError` before the test."""
    if not results.winner.is_tested:
        raise MissingError("There is no tested winner yet.")
    found = results.winner.metrics
    classes = {results.folder / SEARCH_RECORD: len(results.data.classes)}
    check_classes(classes | {results.winner.folder / METRICS_FILE: len(found.classes)})
    return found


def require_predictions(results: SearchResults) -> TestPredictions:
    """The winner's predictions for the test images; raises `MissingError` where they were not kept."""
    require_metrics(results)
    found = results.winner.predictions
    if found is None:
        raise MissingError(f"The winner's predictions for the test images (winner/{PREDICTIONS}) were not kept.")
    return found
