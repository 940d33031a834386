"""Pieces of Markdown that sections share."""

from collections.abc import Iterable, Sequence

from searchspace.reporting.tables.table import Row, format_heading, to_text


def paragraphs(*parts: str) -> str:
    """The parts that say anything, an empty line between two."""
    return "\n\n".join(filter(None, parts))


def table(rows: Sequence[Row]) -> str:
    """Rows, which share their columns, under readable names, without columns that are empty; nothing for none."""
    filled = [name for name in (rows[0] if rows else ()) if any(row[name] not in (None, "") for row in rows)]
    return to_text([{format_heading(name): row[name] for name in filled} for row in rows], "md").rstrip()


def bullets(lines: Iterable[str]) -> str:
    """A list of sentences."""
    return "\n".join(f"- {sentence(line)}" for line in lines)


def sentence(text: str) -> str:
    """With a capital and a full stop."""
    return f"{text[0].upper()}{text[1:]}" + ("" if text.endswith((".", ":")) else ".")
