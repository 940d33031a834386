"""Rows as tables: on the terminal, and as CSV, JSON or Markdown."""

import csv
import html
import io
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from trainables.errors import UserError
from trainables.printable import printable

Row = Mapping[str, Any]
Format = Literal["table", "csv", "json", "md"]
MARKUP = re.compile(r"[\\|`*\[\]]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
"""What Markdown acts on; an underscore within a word it leaves alone."""
SCORES = {"score", "accuracy", "search_score", "best", "winner_val", "test_score", "test_accuracy"}


def sort_rows(rows: Sequence[Row], column: str) -> list[Row]:
    """Rows by `column`: scores from the highest down, everything else up, empty cells last."""
    if rows and column not in rows[0]:
        raise UserError(f"--sort {column!r}: no such column; there are {', '.join(rows[0])}")
    filled = [row for row in rows if row[column] not in (None, "")]
    empty = [row for row in rows if row[column] in (None, "")]
    numeric = all(isinstance(row[column], int | float) for row in filled)
    key = (lambda row: row[column]) if numeric else (lambda row: str(row[column]))
    return sorted(filled, key=key, reverse=column in SCORES) + empty


def to_text(rows: Sequence[Row], form: Format) -> str:
    """Rows as CSV, JSON or a Markdown table."""
    columns = list(rows[0]) if rows else []
    if form == "json":
        return json.dumps(list(rows), indent=1, default=str) + "\n"
    if form == "md":
        lines = [
            columns,
            ["---"] * len(columns),
            *([as_markdown(_cell(row[c])) for c in columns] for row in rows),
        ]
        return "".join("| " + " | ".join(line) + " |\n" for line in lines)
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def as_markdown(text: str) -> str:
    """Text that a Markdown table shows as it is: one line, none of it markup to Markdown or a browser."""
    return MARKUP.sub(r"\\\g<0>", html.escape(printable(text), quote=False))


def print_table(rows: Sequence[Row], title: str) -> None:
    """Rows as a table on the terminal; cells that are empty in every row are left out."""
    from rich.console import Console
    from rich.table import Table

    columns = [c for c in (rows[0] if rows else {}) if any(row[c] not in (None, "") for row in rows)]
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        right = all(isinstance(row[column], int | float | None) for row in rows)
        table.add_column(column.replace("_", " "), justify="right" if right else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(printable(_cell(row[column])) for column in columns))
    console = Console()
    if not console.is_terminal:
        console = Console(width=200)
    console.print(table if columns else f"{title}: nothing yet", markup=False, highlight=False)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def rounded(value: float | None) -> float | None:
    """Four decimals."""
    return None if value is None else round(value, 4)


def short(value: Any) -> Any:
    """Three digits of a float; anything else as it is."""
    return float(f"{value:.3g}") if isinstance(value, float) else value
