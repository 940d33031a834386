"""Text from outside (file names, class names, libraries' errors), escaped for where it goes: one function a sink."""

import csv
import html
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a cell begins with that Excel, LibreOffice or Google Sheets computes (OWASP: CSV injection); the last four are
the full-width letters, which some versions take for the others."""
_GUARDED = re.compile(rf"\s*'*[{''.join(map(re.escape, FORMULA))}]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?(inf|nan)", re.IGNORECASE | re.ASCII)
_ACTS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufff9-\ufffb]"
)
"""Control characters, text-direction marks, line separators, undecodable bytes; not the joiners that scripts need."""
_MARKUP = re.compile(r"[\\|`*\[\]~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|:(?=//)|(?<=[Ww]{3})\.|@(?=\w)")
"""What Markdown acts on anywhere in a line, links without brackets, `@names` and formulas included.

An underscore within a word it leaves alone."""
_BLOCK = re.compile(r"(?:#{1,6}|[-+])(?=\s|$)|-(?=-)|=+\s*$|\d{1,9}([.)])(?=\s|$)")
"""What makes the beginning of a line a heading, a list, a rule."""


def printable(text: str) -> str:
    r"""`text` with newlines, control characters, text-direction marks and undecodable bytes as `\n`, `\x1b`, ….

    Letters of any script stay as they are; what comes out is one line, and encodes as UTF-8.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def decodable(name: str) -> str:
    r"""A name that any file can hold: undecodable bytes as `\udce9`, letters composed (NFC), so that systems agree."""
    return unicodedata.normalize("NFC", name.encode("utf-8", "backslashreplace").decode())


def shown(path: Path) -> str:
    """`path` as a message names it: from the working folder where it lies below that, else whole; quoted."""
    here = Path.cwd()
    return repr(str(path.relative_to(here) if path.is_relative_to(here) else path))


def as_cell(value: Any) -> Any:
    r"""A value as a cell of CSV that no spreadsheet computes and no terminal acts on; numbers stay numbers.

    An apostrophe is put before text that would be a formula, unless it is a number; control characters become `\n`,
    `\x1b`, …. `from_cell` takes the apostrophe away.
    """
    if not isinstance(value, str):
        return value
    text = _ACTS.sub(_escape, value)
    return f"'{text}" if _GUARDED.match(text) and not _NUMBER.fullmatch(text) else text


def from_cell(cell: str) -> str:
    """The text that `as_cell` made a cell of."""
    return cell[1:] if cell.startswith("'") and _GUARDED.match(cell[1:]) else cell


def write_csv(file: IO[str], rows: Iterable[Sequence[Any]], end: str = "\r\n") -> None:
    """Write rows as CSV, every cell by `as_cell`."""
    csv.writer(file, lineterminator=end).writerows([as_cell(value) for value in row] for row in rows)


def read_csv(file: Iterable[str]) -> list[dict[str, str]]:
    """Rows of a CSV that `write_csv` wrote, by the names of its first row."""
    return [{name: from_cell(cell or "") for name, cell in row.items()} for row in csv.DictReader(file)]


def as_lines(text: str) -> str:
    """Lines for a terminal or a log, each as `printable` has it."""
    return "\n".join(map(printable, text.split("\n")))


def as_log(text: str) -> str:
    r"""A piece of another program's output: its lines and tabs stay, what a terminal acts on becomes `\x1b`, …."""
    return _ACTS.sub(lambda found: found[0] if found[0] in "\n\t" else _escape(found), text)


def as_html(text: str) -> str:
    """Text that a browser shows as it is, on one line, in an element or an attribute."""
    return html.escape(printable(text))


def as_markdown(text: str) -> str:
    """Text that Markdown shows as it is, wherever in a line: in a paragraph, a table, a heading, at its beginning."""
    line = printable(text)
    block = _BLOCK.match(line.lstrip(" "))
    line = _MARKUP.sub(r"\\\g<0>", html.escape(line, quote=False))
    if line.startswith(" "):
        return f"&#32;{line[1:]}"  # four of them would be a block of code
    if block:
        place = block.start(1) if block.group(1) else 0
        return f"{line[:place]}\\{line[place:]}"
    return line


def as_code(text: str) -> str:
    """Text as a span of code; its quotes are longer than any within it."""
    line = printable(text)
    ticks = "`" * (1 + max(map(len, re.findall("`+", line)), default=0))
    pad = " " if not line.strip() or line[0] in " `" or line[-1] in " `" else ""
    return f"{ticks}{pad}{line}{pad}{ticks}"


def as_code_block(text: str, language: str = "") -> str:
    """Lines as a block of code; its fence is longer than any within it."""
    lines = as_lines(text)
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", lines)), default=0))
    return f"{fence}{language}\n{lines}\n{fence}"


def as_yaml(document: Mapping[str, Any]) -> str:
    """A document of mappings, lists, text and numbers as YAML, each text on one line."""
    import yaml

    return str(yaml.safe_dump(_one_line(document), sort_keys=False, allow_unicode=True, width=float("inf")))


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def _one_line(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Mapping):
        return {_one_line(name): _one_line(each) for name, each in value.items()}
    return [_one_line(each) for each in value] if isinstance(value, list | tuple) else value
