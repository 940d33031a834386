"""Parquet files in the layout of Hugging Face hubs: an image struct with `bytes`, an integer label."""

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.data.bad import BadImageError
from trainables.data.decode import Decoder, common_shape, probe
from trainables.data.parquet_images import ParquetImages
from trainables.data.part import Part, RawSet
from trainables.errors import UserError
from trainables.printable import decodable

PART_PREFIXES = {"train": "train", "validation": "val", "valid": "val", "val": "val", "test": "test"}
PROBED = 512
"""Images of each part whose headers decide the stored shape."""


def holds_parquet(path: Path) -> bool:
    """Whether `path`, or its `data` folder, holds parquet files."""
    return bool(_files(path))


def open_parquet(path: Path) -> RawSet:
    """Open a folder of `train-*.parquet`, `test-*.parquet` …; raises `UserError` where a part or column is missing."""
    import pyarrow.parquet as pq

    by_part = _list_parts(path)
    try:
        schema = pq.read_schema(by_part["train"][0])
        image, label = _columns(path, schema)
        labels = {part: _read_labels(files, label) for part, files in by_part.items()}
        contents = {part: ParquetImages.open(files, image, f"{path}/{part}") for part, files in by_part.items()}
    except (OSError, ValueError) as error:
        raise UserError(f"--data {str(path)!r}: {error}") from error
    probed = [head for part, found in labels.items() for head in _probed(contents[part], len(found))]
    if not probed:
        raise UserError(f"--data {str(path)!r}: column {image!r} holds no image that can be decoded")
    height, width = common_shape({(h, w) for h, w, _ in probed})
    shape = (height, width, 1 if all(grey for _, _, grey in probed) else 3)
    return RawSet(
        name=decodable(path.resolve().name),
        classes=_class_names(schema, label, labels["train"]),
        parts={
            part: Part(labels=found, decode=Decoder(contents[part], shape), name=contents[part].name)
            for part, found in labels.items()
        },
        channels=shape[2],
        height=height,
        width=width,
        identity=_identity(path),
        encoded=True,
    )


def _probed(contents: ParquetImages, count: int) -> list[tuple[int, int, bool]]:
    """Heights, widths and greyness of some of the images; those with a bad header are told when they are decoded."""
    heads = []
    for row in np.linspace(0, count - 1, min(PROBED, count), dtype=int).tolist():
        with suppress(BadImageError):
            heads.append(probe(contents(row), contents.name(row)))
    return heads


def _files(path: Path) -> list[Path]:
    # "[!.]": not what systems leave beside a file unasked, such as `._train.parquet`. Links may lead anywhere, as those
    # in Hugging Face's cache do: a parquet file holds its images, and can bring in nothing else.
    return sorted(path.glob("[!.]*.parquet")) or sorted((path / "data").glob("[!.]*.parquet"))


def _list_parts(path: Path) -> dict[str, list[Path]]:
    by_part: dict[str, list[Path]] = {}
    for file in _files(path):
        prefix = file.name.split("-")[0].removesuffix(".parquet")
        by_part.setdefault(PART_PREFIXES.get(prefix, prefix), []).append(file)
    unknown = sorted(set(by_part) - set(PART_PREFIXES.values()))
    if unknown or "train" not in by_part:
        what = f"part {unknown[0]!r} is not one of {', '.join(PART_PREFIXES)}" if unknown else "no train-*.parquet"
        raise UserError(f"--data {str(path)!r}: {what}")
    return by_part


def _read_labels(files: list[Path], label: str) -> NDArray[np.int64]:
    """Labels of all rows; -1 where one is missing."""
    import pyarrow.parquet as pq

    column = pq.read_table(files, columns=[label])[label]
    labels: NDArray[np.int64] = column.fill_null(-1).to_numpy().astype(np.int64)
    return labels


def _columns(path: Path, schema: Any) -> tuple[str, str]:
    import pyarrow as pa

    images = [f.name for f in schema if pa.types.is_struct(f.type) and f.type.get_field_index("bytes") >= 0]
    labels = [f.name for f in schema if pa.types.is_integer(f.type)]
    if not images or not labels:
        raise UserError(
            f"--data {str(path)!r}: needs a struct column with `bytes` and an integer label column; "
            f"has {', '.join(f'{f.name} ({f.type})' for f in schema)}"
        )
    preferred = [name for name in labels if name in {"label", "labels", "fine_label"}]
    return images[0], (preferred or labels)[0]


def _class_names(schema: Any, label: str, labels: NDArray[np.int64]) -> tuple[str, ...]:
    metadata = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    names = metadata.get("info", {}).get("features", {}).get(label, {}).get("names")
    return (
        tuple(decodable(str(name)) for name in names) if names else tuple(str(i) for i in range(int(labels.max()) + 1))
    )


def _identity(path: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for file in _files(path):
        stat = file.stat()
        digest.update(f"{file.name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return f"parquet {digest.hexdigest()}"
