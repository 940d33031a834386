"""Files of a data folder that are not used, and why; listed in `left-out.csv`."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from trainables.common.escaping import decodable

LEFT_OUT = "left-out.csv"
"""Name of the list, in a store and in a search's results."""


class LeftOutReason(StrEnum):
    """Why a file is not used, the most serious reasons first; the values are written to records and lists."""

    HEIF = "heif"
    """An HEIC or HEIF image where the extra that decodes these is not installed."""
    FORMAT = "format"
    """An image in a format that is not decoded."""
    VIDEO = "video"
    """A video."""
    SUFFIX = "suffix"
    """An image by its content, but not by its suffix."""
    MASK = "mask"
    """The mask of another image."""
    NO_CLASS = "no class"
    """An image outside of class folders."""
    NO_ROW = "no row"
    """An image that the table of labels does not name."""
    UNLABELLED_SPLIT = "unlabelled split"
    """Part of a split without class folders or labels."""
    NO_SPLIT = "no split"
    """Neither part of a split nor of a class."""
    NO_IMAGE = "no image"
    """No image at all."""
    OUTSIDE = "outside link"
    """A link out of the data folder, which is not followed."""
    LINK = "link"
    """A link to an image or folder that is used already."""
    RESULTS = "results"
    """Results of a search, or the logs of a tool."""
    HIDDEN = "hidden"
    """Hidden, or left by the system."""


@dataclass(frozen=True)
class LeftOut:
    """One file, or folder, that is not used."""

    path: str
    """Path of the file or folder."""
    reason: LeftOutReason
    """Why it is not used."""
    kind: str
    """What it is counted as: its suffix in lower case, or the name of its folder."""


def leave_out_file(path: Path, reason: LeftOutReason) -> LeftOut:
    """A record of a file, counted by its suffix."""
    return LeftOut(str(path), reason, decodable(path.suffix.lower()))


def leave_out_hidden(path: Path) -> LeftOut:
    """A record of a file or folder that is hidden or of the system, counted by name (`._*` for macOS forks)."""
    return LeftOut(str(path), LeftOutReason.HIDDEN, "._*" if path.name.startswith("._") else decodable(path.name))
