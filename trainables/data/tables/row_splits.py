"""The split of each row of a table: by a column, by the table's name, or by the folders of its images."""

from trainables.common.errors import UserError
from trainables.data.layouts.detected_layout import list_names
from trainables.data.layouts.split_names import read_split_name
from trainables.data.tables.cell_values import Texts
from trainables.data.tables.table_columns import Columns, TableColumns


def read_splits(where: str, cells: Columns, columns: TableColumns, said: str) -> tuple[list[str], str]:
    """The split of each row, and how that is told, for the end of the table's name; `said` is the split of all rows.

    Without either, the first folders of the images' paths are the splits if all are named so. Raises `UserError` for a
    split column with other values, or without train.
    """
    count = len(next(iter(cells.values())))
    if columns.split in cells and columns.split:
        return _named_splits(where, columns.split, cells[columns.split]), f", column {columns.split!r}"
    if said:
        return [said] * count, ""
    tops = [_top_folder(text) for text in cells.get(columns.image, [])]
    read = {top: read_split_name(top) for top in set(tops)}
    by_folder = {top: name.split for top, name in read.items() if name and name.is_plain}
    if by_folder and len(by_folder) == len(read) and set(by_folder.values()) > {"train"}:
        return [by_folder[top] for top in tops], ", by the folders of its images"
    return ["train"] * count, ""


def _top_folder(text: str | None) -> str:
    """First folder of a relative path; empty if there is none."""
    parts = (text or "").replace("\\", "/").removeprefix("./").split("/")
    return parts[0] if len(parts) > 1 else ""


def _named_splits(where: str, column: str, texts: Texts) -> list[str]:
    read = {text: read_split_name(text) if text else None for text in dict.fromkeys(texts)}
    strange = [text or "" for text, split in read.items() if split is None]
    if strange:
        raise UserError(
            f"{where}: split column {column!r} has {list_names(strange)}, which is no name of a split; write "
            "train, val or test in each row, or give another --split-column"
        )
    names = {text: split.split for text, split in read.items() if split}
    if "train" not in names.values():
        raise UserError(
            f"{where}: split column {column!r} has no row of train, only {list_names([*filter(None, names)])}; add the "
            "rows to train on"
        )
    return [names[text] for text in texts]
