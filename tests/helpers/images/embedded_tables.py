"""Small tables of images in parquet and Arrow files, as hubs and `save_to_disk` write them."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.helpers.images.data_sets import encoded

ROWS = 24


def picture(value: int) -> dict[str, Any]:
    return {"bytes": encoded(value), "path": f"{value}.png"}


def table(rows: int = ROWS, features: dict[str, Any] | None = None, **columns: Any) -> pa.Table:
    """A table with an image in each row, whose pixels are the row's number, and these columns."""
    content = {"image": [picture(i) for i in range(rows)]} | {
        name: values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values)
        for name, values in columns.items()
    }
    made = pa.table(content)
    if features:
        return made.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    return made


def write_table(file: Path, made: pa.Table) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(made, file)
    return file


def save_to_disk(folder: Path, made: pa.Table, shards: int = 1, features: dict[str, Any] | None = None) -> Path:
    """Write a table as `Dataset.save_to_disk` of `datasets` 4 does."""
    folder.mkdir(parents=True)
    names = [f"data-{i:05}-of-{shards:05}.arrow" for i in range(shards)]
    rows = -(-len(made) // shards)
    for i, name in enumerate(names):
        piece = made.slice(i * rows, rows)
        with pa.OSFile(str(folder / name), "wb") as file, pa.ipc.new_stream(file, piece.schema) as stream:
            stream.write_table(piece, max_chunksize=5)
    state = {"_data_files": [{"filename": name} for name in names], "_fingerprint": "0f", "_split": None}
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "dataset_info.json").write_text(json.dumps({"features": features or {}}))
    return folder


def save_splits(folder: Path, splits: dict[str, pa.Table], **more: Any) -> Path:
    """Write tables as `DatasetDict.save_to_disk` does."""
    for name, made in splits.items():
        save_to_disk(folder / name, made, **more)
    (folder / "dataset_dict.json").write_text(json.dumps({"splits": [*splits]}))
    return folder
