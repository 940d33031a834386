"""Raw test files: what an exported file answers to their pixels, beside PyTorch's answer to their stored versions.

Each is read where the search's data lie, and only if it still gives the stored image. A JPEG of more than
`REDUCED_FROM` pixels is decoded at a fraction of its size for the store, so its pixels are no others' exactly: such
files, and ones of more than `MAX_RAW_PIXELS`, are left out and counted.
"""

import re
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.common.environment import core_count
from trainables.common.errors import UserError
from trainables.data.decoding.decode import Decoder, decode_whole, read_image_header
from trainables.data.decoding.decode_cost import REDUCED_FROM
from trainables.data.sources.source_registry import open_source
from trainables.data.store.data_summary import DataSummary
from trainables.data.store.image_origins import Origins
from trainables.export.model_info import store_side
from trainables.export.parity_check import LogitsFunction, ParityError, Reference, softmax

RAW_FILES = 200
"""Raw test files on which an exported file is checked, at most; evenly from all test images."""
RAW_BUDGET_S = 10.0
"""Seconds that one exported file may take for them; large photographs are fewer, but at least `MIN_RAW_FILES`."""
MIN_RAW_FILES = 10
MAX_RAW_PIXELS = REDUCED_FROM
"""Most pixels of a raw file that is checked."""
MAX_RAW_DIFFERENCE = 1e-2
"""Largest difference of a probability, for an exact format: ten times that on stored images, as the resizing of very
large images is not exact to the last pixel."""
IN_PART = re.compile(r"(\w+)\[(\d+)\]")
"""Origin of an image that is no file: its part of the source, and its row in it."""
LARGE_SIDE = 1 << 20
"""A shorter stored side that leaves every image as it is."""


@dataclass(frozen=True)
class RawFiles:
    """Raw test files that still give the stored images."""

    contents: dict[int, bytes | Path]
    """Content, or file, by position within the reference's images."""
    note: str
    """How many were left out, by reason; or why there are none."""


@dataclass(frozen=True)
class RawParity:
    """How close a file's answers to raw files are to PyTorch's to stored images."""

    count: int
    """Raw files compared."""
    largest_probability_difference: float
    """Largest difference of a probability."""


def find_raw_files(data: DataSummary, origin: str, origins: Origins, reference: Reference) -> RawFiles:
    """The raw files of some of the reference's images, where `origin` says that the search's data lie."""
    if not origin:
        return RawFiles({}, "no raw files were checked: where the data lie was not given (--data)")
    places = np.unique(np.linspace(0, len(reference.rows) - 1, RAW_FILES).astype(int)).tolist()
    read, contents, left_out = _opener(data, origin), dict[int, bytes | Path](), Counter[str]()
    for place in places:
        name = origins.paths[reference.rows[place]]
        try:
            content = read(name)
            reason = _find_reason(content, name, reference.images[place], data) if content else "are gone"
        except (UserError, OSError, KeyError, IndexError, ValueError):
            reason = "cannot be read"
        if reason:
            left_out[reason] += 1
        elif content:
            contents[place] = content
    counted = "; ".join(f"{count:,} {reason}" for reason, count in left_out.items())
    return RawFiles(contents, f"of {len(places):,} raw test files, {counted}" if counted else "")


def check_raw_files(
    answer: LogitsFunction, raw: RawFiles, reference: Reference, seconds: float = RAW_BUDGET_S
) -> RawParity:
    """Compare a file's answers to raw pixels with PyTorch's to stored images, on all cores; within `seconds`."""
    end = time.perf_counter() + seconds

    def difference(part: tuple[int, bytes | Path]) -> float:
        place, content = part
        pixels = decode_whole(content, str(place), LARGE_SIDE, 3)  # upright
        found = softmax(answer(np.ascontiguousarray(pixels.transpose(2, 0, 1))[None]))
        return float(np.abs(found - softmax(reference.logits[place : place + 1])).max())

    differences, step = list[float](), max(core_count(), MIN_RAW_FILES)
    contents = list(raw.contents.items())
    with ThreadPoolExecutor(core_count(), thread_name_prefix="raw files") as threads:
        for start in range(0, len(contents), step):
            differences += threads.map(difference, contents[start : start + step])
            if time.perf_counter() > end:
                break
    return RawParity(len(differences), max(differences, default=0.0))


def require_raw_parity(found: RawParity) -> None:
    """Raise `ParityError` where an exact format answers to raw files otherwise than PyTorch to stored images."""
    if not found.largest_probability_difference <= MAX_RAW_DIFFERENCE:
        raise ParityError(
            f"on raw test files its probabilities differ from PyTorch's by {found.largest_probability_difference:.2e}, "
            f"more than {MAX_RAW_DIFFERENCE:g}"
        )


def _find_reason(content: bytes | Path, name: str, stored: NDArray[np.uint8], data: DataSummary) -> str:
    """Why a raw file is not checked; empty if it is."""
    height, width, _ = read_image_header(content, name)
    if height * width > MAX_RAW_PIXELS:
        return f"have more than {MAX_RAW_PIXELS:,} pixels"
    if max(height, width) < 8:  # enlarged here, too
        return "are smaller than 8 pixels"
    found = decode_whole(content, name, store_side(data), data.channels).transpose(2, 0, 1)
    return "" if np.array_equal(found, stored) else "have changed"


def _opener(data: DataSummary, origin: str) -> Callable[[str], bytes | Path | None]:
    """Reads a raw file by its name in `Origins`; None where it is gone."""
    folder = Path(data.options.root or origin)
    folder = folder if folder.is_dir() else folder.parent
    parts: dict[str, object] = {}

    def read(name: str) -> bytes | Path | None:
        if (file := folder / name).is_file():
            return file
        if found := IN_PART.fullmatch(name):
            if not parts:
                parts.update({part: each.decode for part, each in open_source(origin, data.options).parts.items()})
            decoder = parts[found[1]]
            return decoder.contents(int(found[2])) if isinstance(decoder, Decoder) else None
        return None

    return read
