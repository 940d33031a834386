"""Arrow folders that `save_to_disk` of Hugging Face's `datasets` wrote: one data set, or its splits."""

from pathlib import Path

from trainables.data.data_options import DataOptions
from trainables.data.decoding.arrow_images import damage_named
from trainables.data.embedded_images.arrow_folder import find_arrow_files, is_arrow_folder, read_info
from trainables.data.embedded_images.embedded_table import ArrowTable
from trainables.data.embedded_images.open_embedded import FoundTables, open_embedded
from trainables.data.layouts.parquet_columns import read_features
from trainables.data.sources.source import DataSource, RawSet


def open_saved(path: Path, options: DataOptions) -> RawSet:
    """Open a folder of `save_to_disk`; raises `UserError` if files or columns are missing, damaged or ambiguous."""
    files = find_arrow_files(path)
    splits = files.splits
    if options.split_column:
        splits = {"train": [file for found in splits.values() for file in found]}
    tables = {split: ArrowTable(tuple(found)) for split, found in splits.items()}
    with damage_named(f"--data {str(path)!r}: cannot be read"):
        train = tables["train"]
        features = read_features(train.schemas[0]) or read_info(train.files[0].parent)
        return open_embedded(FoundTables(path, "arrow", tables, files.left_out, features), options)


SOURCE = DataSource(summary="a save_to_disk folder", recognizes=is_arrow_folder, open=open_saved)
