"""Parquet files in the layout of Hugging Face hubs: an image struct with `bytes`, a label."""

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.common.errors import UserError
from trainables.common.escaping import decodable
from trainables.data.data_options import DataOptions
from trainables.data.decoding.bad_images import BadImageError
from trainables.data.decoding.decode import Decoder, read_image_header
from trainables.data.decoding.decode_limits import DecodeLimits, training_limits
from trainables.data.decoding.parquet_images import ParquetImages
from trainables.data.decoding.stored_size import choose_shape
from trainables.data.layouts.detected_layout import DetectedLayout, list_names
from trainables.data.layouts.left_out import LeftOut, LeftOutReason
from trainables.data.layouts.parquet_columns import choose_image_and_label, has_label_name, is_text_type, read_features
from trainables.data.layouts.parquet_files import find_parquet_files, is_parquet_folder
from trainables.data.sources.source import DataSource, Part, RawSet

HEADERS_READ = 512
"""Number of images of each part whose headers are read to choose the stored shape."""
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class _Labels:
    """The content of the label column."""

    classes: tuple[str, ...]
    """Class names, in label order."""
    labels: dict[str, Labels]
    """Labels of each part that has any; -1 for a missing label."""
    unlabelled: tuple[LeftOut, ...]
    """Files of parts without any label."""


def open_parquet(path: Path, options: DataOptions) -> RawSet:
    """Open a folder of `train-*.parquet` …; raises `UserError` if files or columns are missing or ambiguous."""
    import pyarrow.parquet as pq

    tables = find_parquet_files(path)
    try:
        schema = pq.read_schema(tables.splits["train"][0])
        image, label = choose_image_and_label(f"--data {str(path)!r}", schema)
        _check_schemas(tables.splits, image, label)
        found = _read_labels(path, tables.splits, label, schema)
        contents = {part: ParquetImages.open(tables.splits[part], image, f"{path}/{part}") for part in found.labels}
    except (OSError, ValueError) as error:
        raise UserError(f"--data {str(path)!r}: {error}") from error
    limits = training_limits(options.max_pixels)
    probed = [
        head for part, labels in found.labels.items() for head in _read_headers(contents[part], len(labels), limits)
    ]
    if not probed:
        raise UserError(f"--data {str(path)!r}: column {image!r} holds no image that can be decoded")
    channels = 1 if all(grey for _, _, grey in probed) else 3
    sizes = tuple((height, width) for height, width, _ in probed)
    shape = choose_shape(sizes, channels, options.store_side, options.keep_aspect)
    return RawSet(
        name=decodable(path.resolve().name),
        classes=found.classes,
        parts={
            part: Part(labels, Decoder(contents[part], shape, options.max_pixels), contents[part].name)
            for part, labels in found.labels.items()
        },
        channels=channels,
        height=shape.height,
        width=shape.width,
        identity=_identity(path, tables.splits, image, label),
        encoded=True,
        whole=shape.whole,
        sizes=sizes,
        layout=DetectedLayout(
            sources={part: _format_files(path, tables.splits[part]) for part in found.labels},
            columns={"image": image, "label": label},
            left_out=(*tables.left_out, *found.unlabelled),
        ),
    )


def _read_headers(contents: ParquetImages, count: int, limits: DecodeLimits) -> list[tuple[int, int, bool]]:
    """Height, width and greyness of some images; bad ones are reported when they are decoded."""
    heads = []
    for row in np.linspace(0, count - 1, min(HEADERS_READ, count), dtype=int).tolist():
        with suppress(BadImageError):
            heads.append(read_image_header(contents(row), contents.name(row), limits))
    return heads


def _check_schemas(splits: dict[str, list[Path]], image: str, label: str) -> None:
    """Raise `UserError` for a file without one of the columns."""
    import pyarrow.parquet as pq

    for file in (file for files in splits.values() for file in files):
        names = pq.read_schema(file).names
        if missing := {image, label} - set(names):
            raise UserError(f"--data: {str(file)!r} has no column {min(missing)!r}; has {list_names(names)}")


def _read_labels(path: Path, splits: dict[str, list[Path]], label: str, schema: Any) -> _Labels:
    """Read the labels of all parts; raises `UserError` for a column that holds no labels."""
    import pyarrow.parquet as pq

    columns = {part: pq.read_table(files, columns=[label])[label] for part, files in splits.items()}
    if is_text_type(schema.field(label).type):
        texts = {part: column.to_pylist() for part, column in columns.items()}
        names = sorted({text for text in texts["train"] if text is not None})
        number = {name: i for i, name in enumerate(names)}
        if strange := sorted({t for found in texts.values() for t in found if t is not None and t not in number}):
            raise UserError(
                f"--data {str(path)!r}: no image of train has the label {list_names(strange)} of other splits"
            )
        labels = {part: np.array([number.get(t, -1) for t in found], np.int64) for part, found in texts.items()}
    else:
        labels = {part: column.fill_null(-1).to_numpy().astype(np.int64) for part, column in columns.items()}
        _check_values(path, label, labels["train"])
        told = read_features(schema).get(label, {}).get("names")
        names = told or [str(i) for i in range(int(labels["train"].max(initial=0)) + 1)]
    empty = {part for part, found in labels.items() if part != "train" and len(found) and (found == -1).all()}
    files = [
        LeftOut(str(file), LeftOutReason.UNLABELLED_SPLIT, ".parquet")
        for part in sorted(empty)
        for file in splits[part]
    ]
    kept = {part: found for part, found in labels.items() if part not in empty}
    return _Labels(tuple(decodable(str(name)) for name in names), kept, tuple(files))


def _check_values(path: Path, label: str, labels: Labels) -> None:
    """Raise `UserError` for numbers that are ids rather than labels."""
    values = len(np.unique(labels))
    if not has_label_name(label) and 2 * values > len(labels) > 0:
        raise UserError(
            f"--data {str(path)!r}: column {label!r} has {values:,} different values in {len(labels):,} rows, so it is "
            "no label; name the label column `label`"
        )


def _format_files(path: Path, files: list[Path]) -> str:
    """The first file of a part, relative to the data set, and the number of the others."""
    first = str(files[0].relative_to(path))
    return first if len(files) == 1 else f"{first} and {len(files) - 1:,} more"


def _identity(path: Path, splits: dict[str, list[Path]], image: str, label: str) -> str:
    digest = hashlib.blake2b(f"{image} {label}\n".encode(), digest_size=16)
    for part, files in splits.items():
        for file in files:
            stat = file.stat()
            digest.update(f"{part} {file.relative_to(path)} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return f"parquet {digest.hexdigest()}"


SOURCE = DataSource(summary="a folder of parquet files", recognizes=is_parquet_folder, open=open_parquet)
