"""Parquet files in the layout of Hugging Face hubs: an image struct with `bytes`, an integer label."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from trainables.data.decode import common_shape, decode, probe
from trainables.data.part import Part, RawSet
from trainables.errors import UserError

PART_PREFIXES = {"train": "train", "validation": "val", "valid": "val", "val": "val", "test": "test"}
PROBED = 512
"""Images of each part whose headers decide the stored shape."""


def holds_parquet(path: Path) -> bool:
    """Whether `path`, or its `data` folder, holds parquet files."""
    return bool(_files(path))


def open_parquet(path: Path) -> RawSet:
    """Open a folder of `train-*.parquet`, `test-*.parquet` …; raises `UserError` where a part or column is missing."""
    tables = _read_tables(path)
    image, label = _columns(path, tables["train"])
    columns = {part: (table[image].combine_chunks(), table[label].to_numpy()) for part, table in tables.items()}
    probed = [
        probe(_bytes(images, i), f"{path}/{part}[{i}]")
        for part, (images, _) in columns.items()
        for i in np.linspace(0, len(images) - 1, min(PROBED, len(images)), dtype=int)
    ]
    height, width = common_shape({(h, w) for h, w, _ in probed})
    shape = (height, width, 1 if all(grey for _, _, grey in probed) else 3)
    return RawSet(
        name=path.resolve().name,
        classes=_class_names(tables["train"], label),
        parts={part: _part(images, labels, f"{path}/{part}", shape) for part, (images, labels) in columns.items()},
        channels=shape[2],
        height=height,
        width=width,
        identity=_identity(path),
    )


def _files(path: Path) -> list[Path]:
    return sorted(path.glob("*.parquet")) or sorted((path / "data").glob("*.parquet"))


def _read_tables(path: Path) -> dict[str, Any]:
    import pyarrow.parquet as pq

    by_part: dict[str, list[Path]] = {}
    for file in _files(path):
        prefix = file.name.split("-")[0].removesuffix(".parquet")
        by_part.setdefault(PART_PREFIXES.get(prefix, prefix), []).append(file)
    unknown = sorted(set(by_part) - set(PART_PREFIXES.values()))
    if unknown or "train" not in by_part:
        what = f"part {unknown[0]!r} is not one of {', '.join(PART_PREFIXES)}" if unknown else "no train-*.parquet"
        raise UserError(f"--data {str(path)!r}: {what}")
    try:
        return {part: pq.read_table(files) for part, files in by_part.items()}
    except (OSError, ValueError) as error:
        raise UserError(f"--data {str(path)!r}: {error}") from error


def _columns(path: Path, table: Any) -> tuple[str, str]:
    import pyarrow as pa

    images = [f.name for f in table.schema if pa.types.is_struct(f.type) and f.type.get_field_index("bytes") >= 0]
    labels = [f.name for f in table.schema if pa.types.is_integer(f.type)]
    if not images or not labels:
        raise UserError(
            f"--data {str(path)!r}: needs a struct column with `bytes` and an integer label column; "
            f"has {', '.join(f'{f.name} ({f.type})' for f in table.schema)}"
        )
    preferred = [name for name in labels if name in {"label", "labels", "fine_label"}]
    return images[0], (preferred or labels)[0]


def _class_names(table: Any, label: str) -> tuple[str, ...]:
    metadata = json.loads((table.schema.metadata or {}).get(b"huggingface", b"{}"))
    names = metadata.get("info", {}).get("features", {}).get(label, {}).get("names")
    highest = int(table[label].to_numpy().max())
    return tuple(names) if names else tuple(str(i) for i in range(highest + 1))


def _part(images: Any, labels: Any, name: str, shape: tuple[int, int, int]) -> Part:
    return Part(labels=labels.astype(np.int64), decode=lambda i: decode(_bytes(images, i), f"{name}[{i}]", shape))


def _bytes(images: Any, i: int) -> bytes:
    return bytes(images[int(i)]["bytes"].as_py() or b"")


def _identity(path: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for file in _files(path):
        stat = file.stat()
        digest.update(f"{file.name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return f"parquet {digest.hexdigest()}"
