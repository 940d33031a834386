"""Searches by name: `latest`, a name without its folder, or the beginning of one, wherever a search is named."""

import re
from pathlib import Path

from searchspace.cli.output import say
from searchspace.storage.search_folder import SEARCH_RECORD
from trainables.common.errors import DamagedError, UserError
from trainables.storage.object_store.remote import Remote, is_file_name, is_url, join_url

LATEST = "latest"
"""Stands for the search that was worked on last."""
RESULTS_FOLDER = Path("results")
"""Where searches are unless something else is said."""
NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
"""What a new search may be called."""


def check_names(record: Path, name: str, study: str) -> None:
    """Raise `DamagedError` for names in a record that `--name` does not take; a renamed folder has any name."""
    renamed = bool(study) and is_file_name(name) and name.isprintable()
    for field, found in (("name", "" if renamed else name), ("study", study)):
        if found and not NAME_PATTERN.fullmatch(found):
            raise DamagedError(record, f"spec.{field}: {found[:50]!r} is no name of a search")


def find_search(place: str) -> str:
    """The folder or URL that `place` means; `place` itself where there is such a file or folder, or nothing like it.

    Raises `UserError` where it is the beginning of several names.
    """
    if is_url(place):
        return _latest_at(place) if place.rpartition("/")[2] == LATEST else place
    path = Path(place)
    if path.exists():
        return place
    bases = _bases(path)
    for base in [*(b for b in bases if path.name in searches_below(b)), *bases]:  # a whole name before a beginning
        if found := match_name(base, path.name):
            if found != path.name:
                say(f"{place!r} is {str(base / found)!r}", error=True)
            return str(base / found)
    return place


def match_name(base: Path, name: str) -> str:
    """Name of the search under `base` that `name` means; empty where there is none.

    That is itself, the newest for `latest`, or the only one that begins so, in upper or lower case. A name that is
    mistyped finds none: it is met with the nearest one, and never taken for it.
    """
    names = searches_below(base)
    if name in names or not names:
        return name if names else ""
    if name == LATEST:
        return max(names, key=lambda each: (base / each / SEARCH_RECORD).stat().st_mtime_ns)
    begin = [each for each in names if each.casefold().startswith(name.casefold())]
    if len(begin) > 1:
        raise UserError(
            f"{name!r}: is the beginning of {len(begin)} searches ({', '.join(begin)}); give one, or latest"
        )
    return begin[0] if begin else ""


def names_nearby(path: Path) -> list[str]:
    """Names of the searches that `path` could have meant."""
    return next((names for base in _bases(path) if (names := searches_below(base))), [])


def _bases(path: Path) -> tuple[Path, ...]:
    """Folders whose searches a path may name: its own, and of a bare name the usual one."""
    return (path.parent, RESULTS_FOLDER) if path.parent == Path() else (path.parent,)


def searches_below(base: Path) -> list[str]:
    """Names of the searches in a folder, sorted; nothing in them is opened."""
    return sorted(record.parent.name for record in base.glob(f"*/{SEARCH_RECORD}"))


def _latest_at(url: str) -> str:
    """URL of the search beside `url` whose record was written last; `url` itself where there is none."""
    parent = url.rpartition("/")[0]
    try:
        files = Remote.open(parent).list()
    except OSError:
        return url  # whoever reads it says what is wrong
    records = {
        name: entry for name, entry in files.items() if name.count("/") == 1 and name.endswith(f"/{SEARCH_RECORD}")
    }
    if not records:
        return url
    found = join_url(parent, max(records, key=lambda name: records[name].changed).partition("/")[0])
    say(f"{url!r} is {found!r}", error=True)
    return found
