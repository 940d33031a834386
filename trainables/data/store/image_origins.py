"""Where the images of a store's test split come from: what identifies each, and how large it was at first."""

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
    """Origins of some stored images, in the order in which they are stored."""

    paths: tuple[str, ...]
    """Path of each within the data folder, with `/`; of an image that is no file, its part and row: `test[12]`."""
    sizes: tuple[tuple[int, int], ...] = ()
    """Height and width of each before it was resized, in pixels, upright; empty where that is not known."""


def collect_origins(part: Part, name: str, rows: NDArray[np.int64]) -> Origins:
    """Origins of the images at `rows` of the source's part of this name."""
    places: list[int] = rows.tolist()
    paths = tuple(part.path(row) if part.path else f"{name}[{row}]" for row in places)
    return Origins(paths=paths, sizes=tuple(part.size(row) for row in places) if part.size else ())


def write_origins(folder: Path, origins: Origins) -> None:
    """Write `origins.json` into `folder`; names that are no UTF-8 survive as JSON's escapes."""
    (folder / ORIGINS_FILE).write_text(json.dumps(origins.model_dump()), encoding="ascii")


def read_origins(folder: Path) -> Origins:
    """The origins that lie in `folder`."""
    found = json.loads(read_text(folder / ORIGINS_FILE, limit=1 << 30))  # pydantic reads no escapes of what is no UTF-8
    return Origins(paths=tuple(found["paths"]), sizes=tuple((height, width) for height, width in found["sizes"]))
