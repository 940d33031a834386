"""The formats of boards in files and pipes: adding one is one function and one line in `TABLE_WRITERS`."""

import io
import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from searchspace.reporting import markdown
from searchspace.reporting.tables.table import Row
from trainables.common.escaping import write_csv


def _write_csv(rows: Sequence[Row]) -> str:
    out = io.StringIO()
    columns = list(rows[0]) if rows else []
    write_csv(out, [columns, *([row[name] for name in columns] for row in rows)], end="\n")
    return out.getvalue()


def _write_json(rows: Sequence[Row]) -> str:
    return json.dumps(list(rows), indent=1, default=str) + "\n"


def _write_html(rows: Sequence[Row]) -> str:
    from searchspace.reporting.html.rendering import render_board

    return render_board(rows, "Leaderboard")


TABLE_WRITERS: dict[str, Callable[[Sequence[Row]], str]] = {
    "csv": _write_csv, "json": _write_json, "md": markdown.write_table, "html": _write_html,
}  # fmt: skip
"""How each format but the terminal's is written."""
if TYPE_CHECKING:
    Format = str
else:
    Format = Literal["table", *TABLE_WRITERS]
    """A name in `TABLE_WRITERS`, or the terminal's: what `--format` takes."""


def to_text(rows: Sequence[Row], form: Format) -> str:
    """Rows, which share their columns, as CSV, JSON, a Markdown table or an HTML page."""
    return TABLE_WRITERS[form](rows)
