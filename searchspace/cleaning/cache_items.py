"""What is in this machine's cache, one item for what is used together, with its size and when it was used last."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trainables.storage.cache import DISCARDED

LEFTOVER_PARTS = (DISCARDED, ".building", ".fetching", ".partial")
"""Parts of names of files and folders that a killed command left before they were whole."""
LOCK_SUFFIX = ".lock"
BLOCK_BYTES = 512
"""Unit of `st_blocks`."""
HOUR_S, DAY_S = 3600.0, 86400.0


@dataclass(frozen=True)
class CacheKind:
    """A folder of the cache."""

    what: str
    """What it holds, in the plural."""
    is_one: bool = False
    """Whether all in it is one item; else each file or folder in it is."""
    needed_by_all: bool = False
    """Whether any search may need any of it."""
    kept_s: float = 0.0
    """Seconds for which it is kept after its last use."""
    kept_why: str = ""
    """Why it is kept so long."""


FOREVER = float("inf")
KINDS = {
    "stores": CacheKind("decoded images"),
    "fetched": CacheKind("decoded images from shared storage"),
    "in-memory": CacheKind("data given from Python", kept_s=HOUR_S, kept_why="was given within the hour"),
    "downloads": CacheKind("downloaded data sets", needed_by_all=True),
    "data": CacheKind("copies of data at URLs", needed_by_all=True),
    "tables": CacheKind("copies of images that tables name by URLs", needed_by_all=True),
    "features": CacheKind("features of pretrained networks"),
    "squares": CacheKind("images cut to squares"),
    "architectures": CacheKind("costs of architectures", is_one=True, needed_by_all=True),
    "forecast": CacheKind("timings for forecasts", is_one=True, needed_by_all=True),
    "extracted": CacheKind("source of functions given from Python", is_one=True, needed_by_all=True),
    "code": CacheKind("code of own parts", is_one=True, needed_by_all=True),
    "scratch": CacheKind("folders of trials", is_one=True, needed_by_all=True),
    "completion": CacheKind("tables for shells", is_one=True),
    "copies": CacheKind("copies of searches at URLs"),
    "results": CacheKind(
        "working copies of searches at URLs", kept_s=7 * DAY_S, kept_why="may hold what was not uploaded; kept 7 days"
    ),
    "unwritten": CacheKind(
        "studies that could not be written", kept_s=FOREVER, kept_why="move it into its search, or delete it yourself"
    ),
}
"""The folders of the cache, by name, in the order of the table."""
LEFTOVERS_KIND, OTHER_KIND = "leftovers", "other"
REST = {
    LEFTOVERS_KIND: CacheKind("incomplete files", kept_s=HOUR_S, kept_why="may be being written"),
    OTHER_KIND: CacheKind("files of others", kept_s=FOREVER, kept_why="is not of this project"),
}
"""Kinds of what lies elsewhere in the cache."""


@dataclass(frozen=True)
class Usage:
    """The files of an item."""

    size: int
    """Bytes on the disk; a file with several names counts once."""
    used: float
    """When one was read or written last, in seconds since 1970; readers are noticed once a day at most."""


@dataclass(frozen=True)
class CacheItem:
    """What is used, and can be freed, together."""

    kind: str
    """A key of `KINDS`; `leftovers`, or `other` for what is not this project's."""
    path: Path
    """File or folder."""
    name: str
    """As people know it."""
    usage: Usage
    """Its files."""


def find_items(cache: Path) -> list[CacheItem]:
    """Everything in the folder `cache`, by kind, the largest first."""
    order = [*KINDS, *REST]
    return sorted(_find(cache), key=lambda item: (order.index(item.kind), -item.usage.size, item.name))


def _find(cache: Path) -> Iterator[CacheItem]:
    for folder in _below(cache):
        kind = KINDS.get(folder.name)
        if kind is None or not folder.is_dir() or folder.is_symlink():
            is_leftover = any(part in folder.name for part in LEFTOVER_PARTS)
            yield _item(LEFTOVERS_KIND if is_leftover else OTHER_KIND, folder)
            continue
        for path in [folder] if kind.is_one else _below(folder):
            is_leftover = path != folder and any(part in path.name for part in LEFTOVER_PARTS)
            yield _item(LEFTOVERS_KIND if is_leftover else folder.name, path)


def _below(folder: Path) -> list[Path]:
    """What lies in a folder, but the locks, which a starting command may be about to take."""
    try:
        return [path for path in sorted(folder.iterdir()) if not path.name.endswith(LOCK_SUFFIX)]
    except OSError:
        return []


def _item(kind: str, path: Path) -> CacheItem:
    inner = [below.name for below in _below(path)] if kind in {"copies", "results", "data"} else []
    return CacheItem(kind, path, inner[0] if len(inner) == 1 else path.name, measure(path))


def measure(path: Path) -> Usage:
    """Size and last use of a file, or of all in a folder; links are not followed."""
    size, used, seen = 0, 0.0, set()
    for file in _files(path):
        try:
            found = os.lstat(file)
        except OSError:
            continue
        if (found.st_dev, found.st_ino) not in seen:
            seen.add((found.st_dev, found.st_ino))
            size += found.st_blocks * BLOCK_BYTES
            used = max(used, found.st_mtime, found.st_atime, found.st_ctime)
    return Usage(size, used or _changed(path))


def _files(path: Path) -> Iterator[str]:
    try:
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            yield str(path)
            return
    except OSError:
        return
    for folder, _, files in os.walk(path):
        yield from (os.path.join(folder, name) for name in files)


def _changed(path: Path) -> float:
    try:
        return os.lstat(path).st_mtime
    except OSError:
        return 0.0
