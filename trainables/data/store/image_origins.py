"""Origins of the images of a store's test split: their paths and their original sizes."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.config import Frozen
from trainables.data.sources.source import Part
from trainables.storage.files import read_text

ORIGINS_FILE = "origins.json"
"""File beside the stored images."""


class Origins(Frozen):
    """Origins of stored images, in stored order."""

    paths: tuple[str, ...]
    """Path of each image in the data folder, with `/`; part and row, such as `test[12]`, if images are no files."""
    sizes: tuple[tuple[int, int], ...] = ()
    """Original height and width of each image in pixels, upright; empty if unknown."""


def collect_origins(part: Part, name: str, rows: NDArray[np.int64]) -> Origins:
    """Origins of the images at `rows` of the part `name`."""
    places: list[int] = rows.tolist()
    paths = tuple(part.path(row) if part.path else f"{name}[{row}]" for row in places)
    return Origins(paths=paths, sizes=tuple(part.size(row) for row in places) if part.size else ())


def write_origins(folder: Path, origins: Origins) -> None:
    """Write `origins.json` into `folder`; names that are not UTF-8 are kept as JSON escapes."""
    (folder / ORIGINS_FILE).write_text(json.dumps(origins.model_dump()), encoding="ascii")


def read_origins(folder: Path) -> Origins:
    """Read the origins in `folder`."""
    # Not by pydantic, which does not read escapes of text that is not UTF-8.
    found = json.loads(read_text(folder / ORIGINS_FILE, limit=1 << 30))
    return Origins(paths=tuple(found["paths"]), sizes=tuple((height, width) for height, width in found["sizes"]))
