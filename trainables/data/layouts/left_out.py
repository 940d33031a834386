"""Files of a data folder that are not used, and why; listed in `left-out.csv`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from trainables.common.escaping import write_csv
from trainables.common.sanitized_text import decodable

LEFT_OUT = "left-out.csv"
"""The list of them, in a store and in a search's results."""
Reason = Literal[
    "format", "video", "suffix", "mask", "no class", "unlabelled split", "no split", "no image", "results", "hidden"
]
"""A format that is not decoded; a film; an image whose suffix does not say so; the mask of another; an image outside of
class folders; a split without classes; a folder or file that is no split; no image at all; results or logs; hidden."""


@dataclass(frozen=True)
class LeftOut:
    """One file, or folder, that is not used."""

    path: str
    """Its path."""
    reason: Reason
    """Why."""
    kind: str
    """What it is counted as: its suffix in lower case, or the name of the folder that it lies in."""


def of_file(path: Path, reason: Reason) -> LeftOut:
    """A file that is left out, counted by its suffix."""
    return LeftOut(str(path), reason, decodable(path.suffix.lower()))


def of_hidden(path: Path) -> LeftOut:
    """A hidden file or folder, or one that a system left; counted by its name, those of a Mac's forks as `._*`."""
    return LeftOut(str(path), "hidden", "._*" if path.name.startswith("._") else decodable(path.name))


def write_left_out(folder: Path, files: Sequence[LeftOut]) -> None:
    """Write the list into `folder`, as CSV in UTF-8; none if empty."""
    if not files:
        (folder / LEFT_OUT).unlink(missing_ok=True)
        return
    beside = folder / f"{LEFT_OUT}.partial"
    with beside.open("w", newline="", encoding="utf-8") as file:
        write_csv(file, [("path", "reason", "kind"), *((found.path, found.reason, found.kind) for found in files)])
    beside.replace(folder / LEFT_OUT)
