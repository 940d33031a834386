"""HTML pages in one file that load nothing from a network.

Templates escape text, figures travel as JSON in which no script tag can end, and the page's own policy allows no script
but those that it was written with (by their hashes), and no request to anywhere.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from searchspace.reporting.html.blocks import Table
from searchspace.reporting.tables.table import DECIMALS, Row, format_cell, format_heading
from trainables.common.escaping import as_lines

ASSETS = Path(__file__).parent / "assets"


def read_asset(name: str) -> str:
    """A script, or the style sheet."""
    return (ASSETS / name).read_text(encoding="utf-8")


def render_page(template: str, scripts: Mapping[str, str], **values: Any) -> str:
    """A whole page of the template of this name, with the style sheet and these scripts."""
    style = read_asset("style.css")
    return _environment().get_template(template).render(style=style, scripts=scripts, policy=policy(scripts), **values)


def render_fragment(template: str, **values: Any) -> str:
    """A part of a page that is not this project's, such as a notebook; its template has all the style that it needs."""
    return _environment().get_template(template).render(**values)


def _environment() -> jinja2.Environment:
    """Templates that escape all text."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ASSETS), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
        finalize=lambda value: as_lines(value) if type(value) is str else value,
    )  # fmt: skip
    environment.filters |= {"heading": format_heading, "cell": format_cell}
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    return environment


def policy(scripts: Mapping[str, str]) -> str:
    """What a browser lets the page do: run these scripts, and show what it brings along."""
    hashes = " ".join(f"'sha256-{_hash(script)}'" for script in scripts.values())
    return f"default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src {hashes}"


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode()


def render_board(rows: Sequence[Row], title: str) -> str:
    """One HTML file with `rows`, which share their columns; every column is there."""
    scripts = {"tables": read_asset("tables.js")}
    return render_page("board.html", scripts, title=title, table=Table(rows, decimals=DECIMALS, whole=True))
