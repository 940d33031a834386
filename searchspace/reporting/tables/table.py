"""Rows of boards, and how readers see their columns and values."""

from collections.abc import Mapping, Sequence
from typing import Any

from trainables.common.errors import UserError, suggest

Row = Mapping[str, Any]
HEADINGS = {"behind": "difference", "told_apart": "significant"}
"""Headings of columns whose names in files are another word."""
SCORE_COLUMNS = {"score", "accuracy", "best_score", "search_score", "best", "winner_val", "test_score", "test_accuracy"}
DECIMALS = dict.fromkeys([*SCORE_COLUMNS, "val_loss", "train_loss", "deviation", "drop"], 4) | {
    "seconds": 1,
    "duration": 1,
}
"""Of figures that people read, by column; any other has three digits."""


def format_heading(column: str) -> str:
    """The heading of a column for readers: `best epoch` for `best_epoch`."""
    return HEADINGS.get(column, column).replace("_", " ")


def sort_order(rows: Sequence[Row], column: str) -> list[int]:
    """Places of rows by `column`: scores from the highest down, everything else up, empty cells last."""
    check_columns("--sort", rows, [column])
    filled = [place for place, row in enumerate(rows) if row[column] not in (None, "")]
    empty = [place for place, row in enumerate(rows) if row[column] in (None, "")]
    numeric = all(isinstance(rows[place][column], int | float) for place in filled)
    key = (lambda place: rows[place][column]) if numeric else (lambda place: str(rows[place][column]))
    return sorted(filled, key=key, reverse=column in SCORE_COLUMNS) + empty


def sort_rows(rows: Sequence[Row], column: str) -> list[Row]:
    """Rows in `sort_order`."""
    return [rows[place] for place in sort_order(rows, column)]


def check_columns(flag: str, rows: Sequence[Row], names: Sequence[str]) -> None:
    """Raise `UserError` for the first name that is no column; where there are no rows, any name will do."""
    for name in names:
        if rows and name not in rows[0]:
            raise UserError(f"{flag} {name!r}: no such column; there are {', '.join(rows[0])}{suggest(name, rows[0])}")


def format_cell(value: Any) -> str:
    """A value as people read it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def round_rows(rows: Sequence[Row]) -> list[Row]:
    """`rows` with figures as short as people read them; files keep them whole."""
    return [{name: round_value(name, value) for name, value in row.items()} for row in rows]


def round_value(name: str, value: Any) -> Any:
    """A figure of the column `name`: scores with four decimals, seconds with one, others with three digits."""
    if not isinstance(value, float):
        return value
    return round(value, DECIMALS[name]) if name in DECIMALS else round_digits(value)


def rounded(value: float | None) -> float | None:
    """Four decimals."""
    return None if value is None else round(value, 4)


def round_digits(value: Any) -> Any:
    """Three digits of a float; anything else as it is."""
    return float(f"{value:.3g}") if isinstance(value, float) else value
