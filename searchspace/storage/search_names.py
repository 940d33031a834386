"""Names of searches: `latest`, a name without its folder, or an unambiguous prefix, wherever a search is named."""

import re
from datetime import datetime
from pathlib import Path

from searchspace.cli.output import print_lines
from searchspace.storage.search_folder import SEARCH_RECORD
from trainables.common.errors import DamagedError, UserError
from trainables.storage.object_store.remote import Remote, is_file_name, is_url, join_url

LATEST = "latest"
"""Stands for the search that was changed last."""
RESULTS_FOLDER = Path("results")
"""The default results folder."""
NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
"""Pattern of the name of a new search."""


def name_now(data: str) -> str:
    """Name of a new search on `data`, which begins now."""
    data = re.sub(r"[^A-Za-z0-9]+", "-", Path(data).resolve().name, flags=re.ASCII).strip("-")
    return f"{data[:50] or 'data'}-{datetime.now():%Y%m%d-%H%M%S}"


def check_names(record: Path, name: str, study: str) -> None:
    """Raise `DamagedError` for names in a record that `--name` refuses; a renamed folder may have any name."""
    renamed = bool(study) and is_file_name(name) and name.isprintable()
    for field, found in (("name", "" if renamed else name), ("study", study)):
        if found and not NAME_PATTERN.fullmatch(found):
            raise DamagedError(record, f"spec.{field}: {found[:50]!r} is no name of a search")


def find_search(place: str) -> str:
    """The folder or URL that `place` means; `place` itself where that exists, or nothing matches.

    Raises `UserError` where it is a prefix of several names.
    """
    if is_url(place):
        return _latest_at(place) if place.rpartition("/")[2] == LATEST else place
    path = Path(place)
    if path.exists():
        return place
    bases = _bases(path)
    for base in [*(b for b in bases if path.name in searches_below(b)), *bases]:  # a whole name before a prefix
        if found := match_name(base, path.name):
            if found != path.name:
                print_lines(f"{place!r} is {str(base / found)!r}", error=True)
            return str(base / found)
    return place


def match_name(base: Path, name: str) -> str:
    """Name of the search below `base` that `name` means; empty where there is none.

    That is the name itself, the newest search for `latest`, or the only search of that prefix, ignoring case. A
    mistyped name matches nothing; the caller suggests the closest one.
    """
    names = searches_below(base)
    if name in names or not names:
        return name if names else ""
    if name == LATEST:
        return max(names, key=lambda each: (base / each / SEARCH_RECORD).stat().st_mtime_ns)
    matches = [each for each in names if each.casefold().startswith(name.casefold())]
    if len(matches) > 1:
        raise UserError(
            f"{name!r}: is the beginning of {len(matches)} searches ({', '.join(matches)}); give one, or latest"
        )
    return matches[0] if matches else ""


def names_nearby(path: Path) -> list[str]:
    """Names of the searches that `path` could have meant, to suggest one."""
    return next((names for base in _bases(path) if (names := searches_below(base))), [])


def _bases(path: Path) -> tuple[Path, ...]:
    """Folders whose searches a path may name: its own, and for a bare name the default results folder."""
    return (path.parent, RESULTS_FOLDER) if path.parent == Path() else (path.parent,)


def searches_below(base: Path) -> list[str]:
    """Names of the searches in a folder, sorted; no file is opened."""
    return sorted(record.parent.name for record in base.glob(f"*/{SEARCH_RECORD}"))


def _latest_at(url: str) -> str:
    """URL of the search beside `url` whose record was written last; `url` itself where there is none."""
    parent = url.rpartition("/")[0]
    try:
        files = Remote.open(parent).list()
    except OSError:
        return url  # the caller reports what is wrong
    records = {
        name: entry for name, entry in files.items() if name.count("/") == 1 and name.endswith(f"/{SEARCH_RECORD}")
    }
    if not records:
        return url
    found = join_url(parent, max(records, key=lambda name: records[name].changed).partition("/")[0])
    print_lines(f"{url!r} is {found!r}", error=True)
    return found
