"""Rows of boards, and how each format writes them."""

import csv
import html
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from trainables.errors import UserError
from trainables.nearest import suggest
from trainables.printable import printable

Row = Mapping[str, Any]
Format = Literal["table", "csv", "json", "md", "html"]
MARKUP = re.compile(r"[\\|`*\[\]]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
"""What Markdown acts on; an underscore within a word it leaves alone."""
SCORES = {"score", "accuracy", "best_score", "search_score", "best", "winner_val", "test_score", "test_accuracy"}
HTML = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Leaderboard</title>
<style>body {{ font: 14px system-ui, sans-serif }} td, th {{ padding: 2px 8px; text-align: left }}</style>
{table}
</html>
"""


def sort_rows(rows: Sequence[Row], column: str) -> list[Row]:
    """Rows by `column`: scores from the highest down, everything else up, empty cells last."""
    check_columns("--sort", rows, [column])
    filled = [row for row in rows if row[column] not in (None, "")]
    empty = [row for row in rows if row[column] in (None, "")]
    numeric = all(isinstance(row[column], int | float) for row in filled)
    key = (lambda row: row[column]) if numeric else (lambda row: str(row[column]))
    return sorted(filled, key=key, reverse=column in SCORES) + empty


def check_columns(flag: str, rows: Sequence[Row], names: Sequence[str]) -> None:
    """Raise `UserError` for the first name that is no column; where there are no rows, any name will do."""
    for name in names:
        if rows and name not in rows[0]:
            raise UserError(f"{flag} {name!r}: no such column; there are {', '.join(rows[0])}{suggest(name, rows[0])}")


def to_text(rows: Sequence[Row], form: Format) -> str:
    """Rows, which share their columns, as CSV, JSON, a Markdown table or an HTML page."""
    return WRITERS[form](rows)


def _write_csv(rows: Sequence[Row]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _write_json(rows: Sequence[Row]) -> str:
    return json.dumps(list(rows), indent=1, default=str) + "\n"


def _write_markdown(rows: Sequence[Row]) -> str:
    columns = list(rows[0]) if rows else []
    lines = [columns, ["---"] * len(columns), *([as_markdown(cell(row[c])) for c in columns] for row in rows)]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def _write_html(rows: Sequence[Row]) -> str:
    import pandas as pd

    frame = pd.DataFrame([{name: printable(cell(value)) for name, value in row.items()} for row in rows])
    with pd.option_context("display.max_colwidth", None):  # else long texts are cut
        return HTML.format(table=frame.to_html(index=False, border=0, escape=True))


WRITERS: dict[str, Callable[[Sequence[Row]], str]] = {
    "csv": _write_csv, "json": _write_json, "md": _write_markdown, "html": _write_html,
}  # fmt: skip
"""How each format but the terminal's is written."""


def as_markdown(text: str) -> str:
    """Text that a Markdown table shows as it is: one line, none of it markup to Markdown or a browser."""
    return MARKUP.sub(r"\\\g<0>", html.escape(printable(text), quote=False))


def cell(value: Any) -> str:
    """A value as people read it."""
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
