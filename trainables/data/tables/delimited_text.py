"""Reads CSV and TSV: encoding and separator are detected where that is certain, else the file is refused."""

import csv
import io
import shlex
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from pathlib import Path
from typing import TYPE_CHECKING

from trainables.common.errors import UserError
from trainables.common.escaping import printable
from trainables.data.layouts.detected_layout import list_names
from trainables.data.layouts.image_files import LFS_POINTER, FileKind, kind_by_name

if TYPE_CHECKING:
    import pandas as pd

SEPARATORS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a vertical bar"}
"""Separators that are detected, and what they are called."""
SNIFFED_ROWS = 1000
"""Rows by which the separator is detected."""
MAX_TEXT_BYTES = 2_000_000_000
"""Maximum bytes of a table of text; it is read into memory."""
BEGINNING_BYTES = 100_000
"""Bytes of a table by which it is recognised."""
HEADER_REMEDY = "put a first line with the columns' names there, such as image,label"


def read_delimited(where: str, path: Path, beginning: bool = False) -> "pd.DataFrame":
    """The table in a CSV or TSV file, every cell as text without spaces around it, an empty one as None.

    With `beginning`, the first rows alone. Raises `UserError` where encoding, separator or header are not certain, or a
    row has too few or too many fields; OSError if the file cannot be read.
    """
    import pandas as pd

    text = decode_text(where, path, beginning)
    separator = "\t" if path.suffix.lower() == ".tsv" else _detect_separator(where, text)
    rows = csv.reader(io.StringIO(text, newline=None), delimiter=separator, skipinitialspace=True, strict=True)
    columns: list[list[str | None]] = []
    try:
        header = [name.strip() for name in next((row for row in rows if row), [])]
        _check_header(where, header)
        columns = [[] for _ in header]
        for row in filter(None, rows):
            if len(row) != len(header):
                raise _ragged_error(where, rows.line_num, len(row), header, separator)
            for cells, cell in zip(columns, row, strict=True):
                cells.append(cell.strip() or None)
    except csv.Error as error:
        raise UserError(
            f"{where}: line {rows.line_num:,} is no CSV ({error}); quote cells that hold separators, quotes or line "
            'breaks with ", and double quotes in them'
        ) from error
    frame = pd.DataFrame({place: pd.Series(cells, dtype=object) for place, cells in enumerate(columns)})
    frame.columns = pd.Index(header, dtype=object)
    kept = [bool(name) or any(cell is not None for cell in cells) for name, cells in zip(header, columns, strict=True)]
    return frame.loc[:, kept]


def decode_text(where: str, path: Path, beginning: bool = False) -> str:
    """Text of a file in UTF-8 (with a byte order mark or without) or UTF-16 (with one).

    With `beginning`, its first lines alone. Raises `UserError` for another encoding, a Git LFS pointer or too large a
    file; OSError if it cannot be read.
    """
    if (size := path.stat().st_size) > MAX_TEXT_BYTES:
        raise UserError(f"{where}: has {size:,} bytes, more than {MAX_TEXT_BYTES:,}; save it as parquet")
    content = _read_lines(path) if beginning and size > BEGINNING_BYTES else path.read_bytes()
    if content.startswith(LFS_POINTER):
        raise UserError(f"{where}: is a Git LFS pointer, not the table itself; `git lfs pull` fetches it")
    wide = content.startswith((BOM_UTF16_LE, BOM_UTF16_BE))
    encoding = "utf-8-sig" if content.startswith(BOM_UTF8) else "utf-16" if wide else "utf-8"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        new = shlex.quote(f"{path.stem}-utf8{path.suffix}")
        raise UserError(
            f"{where}: is not {'UTF-16' if wide else 'UTF-8'} at byte {error.start:,}; save it as UTF-8, if it is "
            f"Latin-1 by: iconv -f latin1 -t utf-8 {shlex.quote(str(path))} > {new}"
        ) from error
    if "\0" in text:
        raise UserError(f"{where}: holds NUL characters, so it is no text in UTF-8; save it as CSV in UTF-8")
    return text


def _read_lines(path: Path) -> bytes:
    """The whole lines in the first bytes of a file, in any encoding in which a line ends in the byte of a line feed."""
    with path.open("rb") as file:
        first, mark, _ = file.read(BEGINNING_BYTES).rpartition(b"\n")
    odd = len(first) % 2 and first.startswith((BOM_UTF16_LE, BOM_UTF16_BE))
    return first[: len(first) - odd] if mark else first


def _detect_separator(where: str, text: str) -> str:
    """The only separator that gives all of the first rows the same number of columns, at least two."""
    widths = {separator: _count_fields(text, separator) for separator in SEPARATORS}
    found = [separator for separator, counts in widths.items() if len(set(counts)) == 1 and counts[0] > 1]
    if len(found) == 1:
        return found[0]
    if found:
        raise UserError(
            f"{where}: its columns may be separated by {' or by '.join(SEPARATORS[sep] for sep in found)}; save it "
            "with tabs, as FILE.tsv"
        )
    split = [separator for separator, counts in widths.items() if counts and counts[0] > 1]
    if len(split) == 1:
        return split[0]  # reading all rows names the first that differs
    head = next((line.strip() for line in text.splitlines() if line.strip()), "")
    if not head:
        raise UserError(f"{where}: is empty; {HEADER_REMEDY}, and a line for each image below it")
    raise UserError(
        f"{where}: has no columns separated by comma, semicolon or tab (its first line is {printable(head[:80])!r}); "
        "save it as CSV with a column for the images and one for their labels"
    )


def _count_fields(text: str, separator: str) -> list[int]:
    """Fields of each of the first rows; empty where the text cannot be read so."""
    counts = []
    rows = csv.reader(io.StringIO(text, newline=None), delimiter=separator, skipinitialspace=True, strict=True)
    try:
        for row in filter(None, rows):
            counts.append(len(row))
            if len(counts) == SNIFFED_ROWS:
                break
    except csv.Error:
        return counts[:1]
    return counts


def _check_header(where: str, header: list[str]) -> None:
    """Raise `UserError` for a first line that does not name columns."""
    if files := [name for name in header if kind_by_name(name) == FileKind.IMAGE]:
        raise UserError(f"{where}: has no header, its first line names the image {files[0]!r}; {HEADER_REMEDY}")
    if twice := sorted({name for name in header if name and header.count(name) > 1}):
        raise UserError(f"{where}: several columns are named {list_names(twice)}; rename all but one of each name")
    if sum(not name for name in header) > 1 and len(header) == 2:
        raise UserError(f"{where}: its columns have no names; {HEADER_REMEDY}")


def _ragged_error(where: str, line: int, fields: int, header: list[str], separator: str) -> UserError:
    return UserError(
        f"{where}: line {line:,} has {fields} fields, the header {len(header)}; quote cells that hold "
        f"{SEPARATORS[separator]}, and complete rows that are cut short"
    )
