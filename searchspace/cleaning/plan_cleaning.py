"""Which of what lies here goes, and why the rest stays; and its deletion."""

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from searchspace.cleaning.cache_items import KINDS, REST, CacheItem
from searchspace.cleaning.machine_use import MachineUse
from searchspace.cleaning.old_searches import OldSearch, remove_search
from searchspace.reporting.tables.table import Row
from trainables.common.errors import DamagedError, UserError
from trainables.storage.cache import discard

SEARCH_KIND = "search"


@dataclass(frozen=True)
class Cleaned:
    """A thing that goes or stays."""

    kind: str
    """Its kind, such as `stores`, or `search`."""
    what: str
    """What that kind is."""
    name: str
    """Its name."""
    path: Path
    """Where it is."""
    size: int
    """Bytes on the disk that would be free."""
    used: float
    """When it was used last, in seconds since 1970."""
    kept_why: str
    """Why it stays; empty where it goes."""
    source: CacheItem | OldSearch
    """Itself."""


def plan_items(
    items: Sequence[CacheItem], work: MachineUse, now: float, older_than: float, only: Collection[str] = ()
) -> list[Cleaned]:
    """What goes of the cache: what no process uses or needs, and was not used for `older_than` seconds."""
    kinds = KINDS | REST
    return [
        Cleaned(
            item.kind, kinds[item.kind].what, item.name, item.path, item.usage.size, item.usage.used,
            _why_kept(item, work, now, older_than), item,
        )
        for item in items if not only or item.kind in only
    ]  # fmt: skip


def _why_kept(item: CacheItem, work: MachineUse, now: float, older_than: float) -> str:
    kind, idle = (KINDS | REST)[item.kind], now - item.usage.used
    if idle < kind.kept_s:
        return kind.kept_why
    if work.has_open(item.path):
        return "is in use"
    if needing := work.needing(item.path):
        return f"search {needing.folder.name!r} needs it"
    if work.needs_all:
        return work.needs_all
    if kind.needed_by_all and work.searches:
        return f"search {work.searches[0].folder.name!r} is running, and may need it"
    return f"was used {format_age(idle)} ago" if idle < older_than else ""


def plan_searches(searches: Sequence[OldSearch], now: float, older_than: float) -> list[Cleaned]:
    """What goes of a results folder: searches that were not worked on for `older_than` seconds."""
    planned = []
    for search in searches:
        idle = now - search.changed
        why = search.kept_why or (f"was changed {format_age(idle)} ago" if idle < older_than else "")
        why = why or ("" if search.parts else "has no trials' folders")
        name = os.path.relpath(search.folder)
        planned.append(
            Cleaned(SEARCH_KIND, "searches", name, search.folder, search.usage.size, search.changed, why, search)
        )
    return planned


def free(thing: Cleaned) -> str:
    """Delete a thing; returns why it could not be, or an empty text."""
    try:
        if isinstance(thing.source, OldSearch):
            remove_search(thing.source)
        else:
            discard(thing.path)
    except (OSError, UserError, DamagedError) as error:
        return str(error)
    left = thing.source.parts if isinstance(thing.source, OldSearch) else (thing.path,)
    return "could not be deleted" if any(os.path.lexists(part) for part in left) else ""


def to_row(thing: Cleaned, now: float, outcome: str) -> Row:
    """The line of a thing in the table that people read."""
    note = f"stays: {thing.kept_why}" if thing.kept_why else outcome
    return {
        "what": thing.what, "name": thing.name, "size": format_size(thing.size),
        "last_used": f"{format_age(now - thing.used)} ago", "outcome": note,
    }  # fmt: skip


def to_record(thing: Cleaned, outcome: str) -> Row:
    """The line of a thing for programs; the size in bytes, the time in UTC."""
    used = datetime.fromtimestamp(thing.used, UTC).isoformat(timespec="seconds")
    return {
        "kind": thing.kind, "name": thing.name, "path": str(thing.path), "bytes": thing.size, "last_used": used,
        "outcome": "stays" if thing.kept_why else outcome, "why": thing.kept_why,
    }  # fmt: skip


def format_size(size: float) -> str:
    """Bytes as people read them, in units of 1000."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def format_age(seconds: float) -> str:
    """A time as people read it."""
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} seconds"
