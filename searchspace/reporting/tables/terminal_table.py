"""Rows as a table that fits the width of a terminal; columns that do not fit are named below it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from searchspace.reporting.tables.table import Row, format_cell, format_heading
from trainables.common.escaping import printable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

COLUMN_GAP = 2
"""Characters between columns."""
PIPE_WIDTH = 200
"""Characters a line where the output is no terminal."""
MIN_TEXT_WIDTH = 24
"""Characters that a column of long text needs at least; it gets what the others leave."""


def print_table(rows: Sequence[Row], title: str, first: Sequence[str] = (), hint: str = "") -> None:
    """Print `draw_table` as wide as the terminal is."""
    console = make_console()
    console.print(draw_table(rows, title, console.width, first, hint))


def make_console() -> "Console":
    """The terminal, or what stands for it in a pipe."""
    from rich.console import Console

    console = Console(highlight=False)
    return console if console.is_terminal else Console(width=PIPE_WIDTH, highlight=False)


def draw_table(
    rows: Sequence[Row], title: str, width: int, first: Sequence[str] = (), hint: str = ""
) -> "RenderableType":
    """A table at most `width` characters wide; cells that are empty in every row are left out.

    Of the other columns those stay that have room, the `first` before the rest; `hint` says how to see the others.
    """
    from rich.console import Group
    from rich.text import Text

    texts = [{name: printable(format_cell(value)) for name, value in row.items()} for row in rows]
    filled = [name for name in (rows[0] if rows else {}) if any(text[name] for text in texts)]
    if not filled:
        return Text(f"{printable(title)}: nothing to show")
    widths = {name: max(len(_header(name)), *(_length(text[name]) for text in texts)) for name in filled}
    shown = choose_columns(widths, width, first)
    left = [name for name in filled if name not in shown]
    footer = [Text(printable(f"not shown: {', '.join(left)}{hint}"), style="dim")] if left else []
    return Group(Text(printable(title), style="italic"), _table(rows, texts, shown), *footer)


def choose_columns(widths: Mapping[str, int], width: int, first: Sequence[str]) -> dict[str, int]:
    """Columns that fit into `width` characters, in the order of `widths`, with the characters that each may take."""
    order = [name for name in first if name in widths] + [name for name in widths if name not in first]
    chosen: dict[str, int] = {}
    for name in order:
        room = width - sum(chosen.values()) - COLUMN_GAP * len(chosen)
        if widths[name] <= room or not chosen:
            chosen[name] = min(widths[name], width)
        elif widths[name] > MIN_TEXT_WIDTH and room >= MIN_TEXT_WIDTH:
            chosen[name] = room
    return {name: chosen[name] for name in widths if name in chosen}


def _table(rows: Sequence[Row], texts: Sequence[Mapping[str, str]], shown: Mapping[str, int]) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, COLUMN_GAP, 0, 0), header_style="bold")
    for name, width in shown.items():
        right = all(isinstance(row[name], int | float | None) for row in rows)
        table.add_column(Text(_header(name)), justify="right" if right else "left", no_wrap=True, max_width=width)
    for text in texts:
        table.add_row(*(Text(text[name], overflow="ellipsis") for name in shown))
    return table


def _header(name: str) -> str:
    return printable(format_heading(name))


def _length(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)
