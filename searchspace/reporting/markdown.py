"""Markdown: tables, lists and paragraphs."""

from collections.abc import Iterable, Sequence

from searchspace.reporting.tables.table import Row, format_cell, format_heading
from trainables.common.escaping import as_markdown


def write_table(rows: Sequence[Row]) -> str:
    """Rows, which share their columns, as a table."""
    columns = list(rows[0]) if rows else []
    head = [as_markdown(name) for name in columns]
    lines = [head, ["---"] * len(columns), *([as_markdown(format_cell(row[c])) for c in columns] for row in rows)]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def paragraphs(*parts: str) -> str:
    """The parts that say anything, an empty line between two."""
    return "\n\n".join(filter(None, parts))


def table(rows: Sequence[Row]) -> str:
    """Rows, which share their columns, under readable names, without columns that are empty; nothing for none."""
    filled = [name for name in (rows[0] if rows else ()) if any(row[name] not in (None, "") for row in rows)]
    return write_table([{format_heading(name): row[name] for name in filled} for row in rows]).rstrip()


def bullets(lines: Iterable[str]) -> str:
    """A list of sentences."""
    return "\n".join(f"- {sentence(line)}" for line in lines)


def sentence(text: str) -> str:
    """With a capital and a full stop."""
    return f"{text[0].upper()}{text[1:]}" + ("" if text.endswith((".", ":")) else ".")
