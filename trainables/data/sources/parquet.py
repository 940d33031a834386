"""Parquet files with images, in the layout of Hugging Face hubs: an image struct with `bytes`, a label."""

from pathlib import Path

from trainables.data.data_options import DataOptions
from trainables.data.decoding.arrow_images import damage_named
from trainables.data.embedded_images.embedded_table import ParquetTable
from trainables.data.embedded_images.open_embedded import FoundTables, open_embedded
from trainables.data.layouts.parquet_columns import read_features
from trainables.data.layouts.parquet_files import find_parquet_files, is_parquet
from trainables.data.sources.source import DataSource, RawSet


def open_parquet(path: Path, options: DataOptions) -> RawSet:
    """Open a parquet file, or a folder of `train-*.parquet` and the like.

    Raises `UserError` if files or columns are missing, damaged or ambiguous.
    """
    files = find_parquet_files(path, whole=bool(options.split_column))
    tables = {split: ParquetTable(tuple(found)) for split, found in files.splits.items()}
    with damage_named(f"--data {str(path)!r}: cannot be read"):
        features = read_features(tables["train"].schemas[0])
        return open_embedded(FoundTables(path, "parquet", tables, files.left_out, features), options)


SOURCE = DataSource(summary="a parquet file or folder with images", recognizes=is_parquet, open=open_parquet)
