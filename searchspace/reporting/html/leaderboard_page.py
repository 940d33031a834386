"""A board as a page of its own: the report's sortable table."""

from collections.abc import Sequence

from searchspace.reporting.html.blocks import Table
from searchspace.reporting.html.rendering import read_asset, render_page
from searchspace.reporting.tables.table import DECIMALS, Row


def render_board(rows: Sequence[Row], title: str) -> str:
    """One HTML file with `rows`, which share their columns; every column is there."""
    scripts = {"tables": read_asset("tables.js")}
    return render_page("board.html", scripts, title=title, table=Table(rows, decimals=DECIMALS, whole=True))
