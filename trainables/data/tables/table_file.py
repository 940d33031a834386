"""Reads a table of any format into a data frame whose texts stay texts: ids such as 007 keep their zeros."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainables.common.errors import UserError
from trainables.common.escaping import printable
from trainables.data.layouts.detected_layout import list_names
from trainables.data.layouts.image_files import LFS_POINTER, read_head
from trainables.data.tables.delimited_text import decode_text, read_delimited

if TYPE_CHECKING:
    import pandas as pd

TABLE_FORMATS = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
"""Suffixes of tables that are read."""


def is_table_name(name: str) -> bool:
    """Whether a file's name is that of a table."""
    return name.lower().endswith(TABLE_FORMATS)


def read_table(where: str, path: Path, beginning: bool = False) -> "pd.DataFrame":
    """The table in a file, with named columns and at least one row; `where` begins messages.

    With `beginning`, the first rows alone, by which a table is recognised. Raises `UserError` for a file that is no
    such table.
    """
    suffix = path.suffix.lower()
    try:
        if suffix == ".parquet":
            frame = _read_parquet(where, path, beginning)
        elif suffix in {".jsonl", ".ndjson"}:
            frame = _read_json_lines(where, path, beginning)
        else:
            frame = read_delimited(where, path, beginning)
    except OSError as error:
        raise UserError(f"{where}: cannot be read ({error.strerror or error})") from error
    if not len(frame):
        raise UserError(f"{where}: has no rows; expected one for each image below the columns' names")
    return frame


def _read_json_lines(where: str, path: Path, beginning: bool) -> "pd.DataFrame":
    """One object a line, by column; a key that an object lacks is None there."""
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for number, line in enumerate(decode_text(where, path, beginning).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{where}: line {number:,} is no JSON ({error}); write one object a line") from error
        if not isinstance(row, dict):
            raise UserError(f"{where}: line {number:,} is no JSON object; write one object a line")
        rows.append({name.strip(): value for name, value in row.items()})
    names = dict.fromkeys(name for row in rows for name in row)
    return pd.DataFrame({name: pd.Series([row.get(name) for row in rows], dtype=object) for name in names})


def _read_parquet(where: str, path: Path, beginning: bool) -> "pd.DataFrame":
    """Columns of texts, numbers and truth values; columns of images, lists and the like are left out."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    if read_head(path).startswith(LFS_POINTER):
        raise UserError(f"{where}: is a Git LFS pointer, not the table itself; `git lfs pull` fetches it")
    try:
        schema = pq.read_schema(path)
        names = [field.name for field in schema if not (pa.types.is_nested(field.type) or _is_binary(field.type))]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise UserError(f"{where}: several columns are named {list_names(twice)}; rename all but one of each name")
        with pq.ParquetFile(path) as file:
            few = beginning and file.num_row_groups > 1
            table = file.read_row_group(0, columns=names) if few else file.read(names)
    except (pa.ArrowException, ValueError) as error:
        said = printable(str(error).partition("\n")[0])
        raise UserError(f"{where}: is cut short, or no parquet file ({said}); write it again") from error
    if len(names) < len(schema) and len(names) < 2:
        raise UserError(f"{where}: names no image files; of a table that holds the images, give the folder it lies in")
    return pd.DataFrame({name: pd.Series(table[name].to_pylist(), dtype=object) for name in names})


def _is_binary(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind))
