"""Data frames and data sets of Hugging Face, kept as the files that `--data` reads."""

import json
import os
from typing import TYPE_CHECKING, Any

from trainables.common.errors import UserError
from trainables.data.in_memory.kept_files import digest_folder, keep, writing

if TYPE_CHECKING:
    import pandas as pd

TABLE_FILE = "table.parquet"
SAVED_FOLDER = "dataset"
STATE_FILE = "state.json"
FIELDS_OF_STATE = ("_data_files", "_split")
"""What is kept of a saved data set's state: the rest names the run that made it."""


def keep_frame(frame: "pd.DataFrame") -> str:
    """Keep a data frame of paths and labels, or of encoded images, as a parquet file; returns its path.

    Raises `UserError` for a frame without rows, and a column that no file can hold.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not len(frame):
        raise UserError("data: a data frame without rows; expected one for each image")
    plain = frame.rename(columns=str)
    for name in [name for name in plain if plain[name].dtype.kind == "O"]:
        plain[name] = [os.fspath(cell) if isinstance(cell, os.PathLike) else cell for cell in plain[name]]
    try:
        table = pa.Table.from_pandas(plain, preserve_index=False)
    except (pa.ArrowException, TypeError, ValueError) as error:
        said = str(error).splitlines()[0]
        raise UserError(
            f"data: a data frame with cells that no table holds ({said}); keep paths and labels, or give images and "
            "labels as a pair of lists"
        ) from error
    with writing() as folder:
        pq.write_table(table.replace_schema_metadata(), folder / TABLE_FILE)
        return str(keep(folder, digest_folder(folder), TABLE_FILE))


def is_hub_data(data: Any) -> bool:
    """Whether it is a data set of Hugging Face's `datasets`, or several as splits."""
    return type(data).__module__.partition(".")[0] == "datasets" and hasattr(data, "save_to_disk")


def keep_hub_data(data: Any) -> str:
    """Keep a `Dataset` or `DatasetDict` by `save_to_disk`, with its images and class names; returns its path."""
    import datasets

    shown = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        with writing() as folder:
            try:
                data.with_format(None).save_to_disk(str(folder / SAVED_FOLDER))
            except (TypeError, ValueError, RuntimeError) as error:
                raise UserError(f"data: save_to_disk of the data set failed ({error})") from error
            for state in folder.rglob(STATE_FILE):
                kept = json.loads(state.read_text(encoding="utf-8"))
                state.write_text(json.dumps({name: kept.get(name) for name in FIELDS_OF_STATE}), encoding="utf-8")
            return str(keep(folder, digest_folder(folder), SAVED_FOLDER))
    finally:
        if shown:
            datasets.enable_progress_bars()
