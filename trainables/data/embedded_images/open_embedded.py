"""How tables of images become a raw set, from the files of their splits."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.common.errors import UserError
from trainables.common.escaping import decodable, printable
from trainables.data.data_options import DataOptions
from trainables.data.decoding.bad_images import BadImage, BadImageCause, BadImageError
from trainables.data.decoding.decode import Decoder, EncodedImages, read_image_header
from trainables.data.decoding.decode_limits import DecodeLimits, training_limits
from trainables.data.decoding.stored_size import choose_shape
from trainables.data.embedded_images.embedded_table import EmbeddedTable, SelectedImages
from trainables.data.embedded_images.label_numbers import TableLabels, find_labels
from trainables.data.embedded_images.label_values import read_label_columns
from trainables.data.embedded_images.row_columns import read_groups, read_splits, read_weights
from trainables.data.layouts.detected_layout import DetectedLayout, list_names
from trainables.data.layouts.left_out import LeftOut, LeftOutReason
from trainables.data.layouts.parquet_columns import choose_image_and_label, read_features
from trainables.data.sources.source import Part, RawSet

HEADERS_READ = 512
"""Number of images of each part whose headers are read to choose the stored shape."""
Rows = NDArray[np.int64]
ImageHeader = tuple[int, int, bool]
"""Height, width and greyness of an image."""


@dataclass(frozen=True)
class FoundTables:
    """The tables of a data set."""

    path: Path
    """The data set's folder or file."""
    kind: str
    """What the files are; a part of the data set's identity."""
    tables: Mapping[str, EmbeddedTable]
    """The table of each split; of one that has a column for that, `train` with all rows."""
    left_out: tuple[LeftOut, ...]
    """Files that are not used."""
    features: Mapping[str, Mapping[str, Any]]
    """Hugging Face's features, by column."""

    @property
    def where(self) -> str:
        """The beginning of messages."""
        return f"--data {str(self.path)!r}"


@dataclass(frozen=True)
class _Columns:
    """The content of the columns besides the images."""

    labels: TableLabels
    """Classes and labels."""
    rows: Mapping[str, Rows]
    """Rows of each part within its table; empty if they are all."""
    groups: Mapping[str, Rows]
    """Groups by part; empty without a column for them."""
    group_names: tuple[str, ...]
    """Names of the groups, by number."""
    weights: Mapping[str, NDArray[np.float32]]
    """Weights by part; empty without a column for them."""
    paths: Mapping[str, list[str]]
    """Paths of images by part, where groups are found by them."""


def open_embedded(found: FoundTables, options: DataOptions) -> RawSet:
    """Open tables of images; raises `UserError` if a column is missing or not sure, or its content is not usable."""
    schema = found.tables["train"].schemas[0]
    image, label = choose_image_and_label(found.where, schema, found.features, options)
    _check_columns(found, image, label)
    columns = _read_columns(found, image, label, options)
    parts = list(columns.labels.labels)
    contents = {part: _open_images(found, part, image, columns.rows) for part in parts}
    limits = training_limits(options.max_pixels)
    counts = {part: len(labels) for part, labels in columns.labels.labels.items()}
    bad: list[BadImage] = []
    probed = [head for part in parts for head in _read_headers(contents[part], counts[part], limits, bad)]
    if not probed:
        raise _no_image_error(found, image, bad)
    channels = 1 if all(grey for _, _, grey in probed) else 3
    sizes = tuple((height, width) for height, width, _ in probed)
    shape = choose_shape(sizes, channels, options.store_side, options.keep_aspect)
    return RawSet(
        name=decodable(found.path.resolve().name),
        classes=columns.labels.classes,
        parts={part: _make_part(part, columns, Decoder(contents[part], shape, options.max_pixels)) for part in parts},
        channels=channels,
        height=shape.height,
        width=shape.width,
        identity=_identity(found, image, label),
        encoded=True,
        group_names=columns.group_names,
        whole=shape.whole,
        sizes=sizes,
        layout=_describe(found, columns, image, label, options),
    )


def _read_columns(found: FoundTables, image: str, label: str, options: DataOptions) -> _Columns:
    """Read labels, splits, groups and weights; raises `UserError` for content that is none."""
    where, tables = found.where, found.tables
    rows = read_splits(where, tables["train"], options.split_column) if options.split_column else {}
    labels = read_label_columns(tables, label)
    groups, names = read_groups(tables, options.group_column) if options.group_column else ({}, ())
    weights = read_weights(where, tables, options.weight_column) if options.weight_column else {}
    paths = _read_paths(tables, image) if options.group_by else {}
    if rows:
        paths = {part: [paths["train"][row] for row in chosen] for part, chosen in rows.items()} if paths else {}
        labels = {part: labels["train"].take(chosen) for part, chosen in rows.items()}
        groups = {part: groups["train"][chosen] for part, chosen in rows.items()} if groups else {}
        weights = {part: weights["train"][chosen] for part, chosen in rows.items()} if weights else {}
    told = found.features.get(label, {}).get("names")
    return _Columns(find_labels(where, label, labels, told), rows, groups, names, weights, paths)


def _read_paths(tables: Mapping[str, EmbeddedTable], image: str) -> dict[str, list[str]]:
    """The path of each image, by table; empty where some have none."""
    found = {part: table.read_paths(image) for part, table in tables.items()}
    told = {part: [path for path in paths if path] for part, paths in found.items()}
    return told if all(found.values()) and all(len(told[part]) == len(found[part]) for part in found) else {}


def _open_images(found: FoundTables, part: str, image: str, rows: Mapping[str, Rows]) -> EncodedImages:
    name = str(found.path) if found.path.is_file() else f"{found.path}/{part}"
    if not rows:
        return found.tables[part].images(image, name)
    return SelectedImages(found.tables["train"].images(image, str(found.path)), rows[part])


def _make_part(part: str, columns: _Columns, decode: Decoder) -> Part:
    return Part(
        labels=columns.labels.labels[part],
        decode=decode,
        name=decode.contents.name,
        path=columns.paths[part].__getitem__ if part in columns.paths else None,
        groups=columns.groups.get(part),
        weights=columns.weights.get(part),
    )


def _read_headers(contents: EncodedImages, count: int, limits: DecodeLimits, bad: list[BadImage]) -> list[ImageHeader]:
    """Headers of some images; bad ones, added to `bad`, are reported when they are decoded."""
    heads = []
    for row in np.linspace(0, count - 1, min(HEADERS_READ, count), dtype=int).tolist():
        try:
            heads.append(read_image_header(contents(row), contents.name(row), limits))
        except BadImageError as error:
            bad.append(error.image)
    return heads


def _check_columns(found: FoundTables, image: str, label: str) -> None:
    """Raise `UserError` for a file without one of the columns, or with other names of classes than the first."""
    told = found.features.get(label, {}).get("names")
    for table in found.tables.values():
        for file, schema in zip(table.files, table.schemas, strict=True):
            names = read_features(schema).get(label, {}).get("names")
            if told and names and names != told:
                raise UserError(
                    f"--data: {str(file)!r} names classes of column {label!r} {list_names(names)}, the first file of "
                    f"train {list_names(told)}; a number would mean two classes: write all files with the same names"
                )
            if missing := {image, label} - set(schema.names):
                raise UserError(
                    f"--data: {str(file)!r} has no column {min(missing)!r}; has {list_names(schema.names)}; all files "
                    "need the same columns: download them anew, or write them so"
                )


def _no_image_error(found: FoundTables, image: str, bad: Sequence[BadImage]) -> UserError:
    """The error of a column without a readable image, which may hold paths."""
    first = next((value for content in found.tables["train"].read(image) for value in content[:1].to_pylist()), None)
    path = first.get("path") if isinstance(first, dict) and not first.get("bytes") else None
    if path:
        return UserError(
            f"{found.where}: column {image!r} holds paths such as {printable(str(path))!r}, not the images themselves; "
            "save the data set with embedded images, as push_to_hub and save_to_disk of `datasets` do"
        )
    if bad and bad[0].cause == BadImageCause.TOO_LARGE:
        return UserError(f"{found.where}: column {image!r} holds no image within the limits; the first: {bad[0]}")
    return UserError(
        f"{found.where}: column {image!r} holds no image that can be decoded; give another with --image-column"
    )


def _describe(found: FoundTables, columns: _Columns, image: str, label: str, options: DataOptions) -> DetectedLayout:
    labels = columns.labels
    given = {use: getattr(options, f"{use}_column") for use in ("split", "group", "weight")}
    files = [
        LeftOut(str(file), LeftOutReason.UNLABELLED_SPLIT, file.suffix)
        for part in labels.unlabelled
        if not columns.rows
        for file in found.tables[part].files
    ]
    rows = [f"{part} has no labels, so it is not used" for part in labels.unlabelled if columns.rows]
    return DetectedLayout(
        sources={
            part: f"rows of {part}" if columns.rows else _format_files(found.path, found.tables[part].files)
            for part in labels.labels
        },
        columns={"image": image, "label": label, **{use: name for use, name in given.items() if name}},
        left_out=(*found.left_out, *files),
        warnings=(*labels.warnings, *rows),
    )


def _format_files(path: Path, files: tuple[Path, ...]) -> str:
    """The first file of a part, relative to the data set, and the number of the others."""
    first = str(files[0].relative_to(path)) if files[0] != path else path.name
    return first if len(files) == 1 else f"{first} and {len(files) - 1:,} more"


def _identity(found: FoundTables, image: str, label: str) -> str:
    digest = hashlib.blake2b(f"{image} {label}\n".encode(), digest_size=16)
    for part, table in found.tables.items():
        for file in table.files:
            stat = file.stat()
            name = file.relative_to(found.path)
            digest.update(f"{part} {name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return f"{found.kind} {digest.hexdigest()}"
