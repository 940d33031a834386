"""Rendered parts of a Markdown file: `<!-- figures:NAME -->` to `<!-- /figures -->`, in a line or around lines."""

import re
from collections.abc import Callable
from pathlib import Path

from tests.helpers.figures.records import Records

MARKED = re.compile(r"<!-- figures:(\w+) -->(.*?)<!-- /figures -->", re.DOTALL)
Part = Callable[[Records], str]


def rendered(text: str, parts: dict[str, Part], records: Records) -> str:
    """The text with every marked part as the records have it.

    Raises KeyError where a part is unknown, or wants a record that is not there.
    """

    def part(found: re.Match[str]) -> str:
        return f"<!-- figures:{found[1]} -->{parts[found[1]](records)}<!-- /figures -->"

    return MARKED.sub(part, text)


def unmarked(text: str) -> str:
    """The text without its marked parts and its code: what people wrote."""
    text = re.sub(r"^```.*?^```", "", MARKED.sub("", text), flags=re.DOTALL | re.MULTILINE)
    return "\n".join(re.sub(r"`[^`]*`", "", line) for line in text.splitlines() if not line.startswith("    "))


def differing(files: list[Path], parts: dict[str, Part], records: Records) -> dict[Path, str]:
    """What the files should be, of those that are not so."""
    wanted = {file: rendered(file.read_text(), parts, records) for file in files}
    return {file: text for file, text in wanted.items() if text != file.read_text()}
