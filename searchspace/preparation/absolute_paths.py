"""Makes the paths of a specification absolute: its data, its space, its storage."""

import os
import re
from pathlib import Path
from urllib.parse import unquote

from searchspace.spec import SearchSpec
from trainables.custom.reference import absolute_reference
from trainables.data.sources.source_registry import NAMED_SETS
from trainables.storage.object_store.remote import is_url

SQLITE = re.compile(r"(?P<scheme>sqlite(?:\+\w+)?):///(?P<uri>file:)?(?P<file>[^?]*)(?P<query>\?.*)?")
"""A URL of a SQLite file, which a fourth slash makes absolute."""


def with_absolute_paths(spec: SearchSpec) -> SearchSpec:
    """`spec` with absolute paths, so that commands find its files from any working directory."""
    return spec.model_copy(
        update={
            "data": spec.data if spec.data in NAMED_SETS else absolute(spec.data),
            "root": absolute(spec.root) if spec.root else "",
            "space": absolute_reference(spec.space),
            "warm_start": tuple(absolute(each) for each in spec.warm_start),
            "storage": with_absolute_file(spec.storage),
        }
    )


def absolute(place: str) -> str:
    """An absolute path, links in it kept; a URL as it is."""
    return place if is_url(place) else os.path.abspath(os.path.expanduser(place))  # keeps links


def from_folder(base: str, place: str) -> str:
    """A path that starts from the folder `base` unless it is absolute; a URL as it is."""
    return place if is_url(place) else os.path.normpath(os.path.join(base, os.path.expanduser(place)))


def sqlite_file(url: str) -> Path | None:
    """File of a SQLite URL; None for any other URL, and for a database in memory."""
    written = _written_file(url)
    return None if written is None else Path(os.path.expanduser(unquote(written)))  # as SQLAlchemy reads it


def with_absolute_file(url: str, base: str = "") -> str:
    """A URL of a SQLite file with its absolute path, which starts from the folder `base`; any other as it is."""
    found, file = SQLITE.fullmatch(url), _written_file(url)
    if found is None or file is None:
        return url
    return f"{found['scheme']}:///{found['uri'] or ''}{absolute(from_folder(base, file))}{found['query'] or ''}"


def _written_file(url: str) -> str | None:
    """The path in a SQLite URL as it is written there; None where there is none."""
    found = SQLITE.fullmatch(url)
    if found is None or found["file"] in {"", ":memory:"} or "mode=memory" in (found["query"] or ""):
        return None
    return found["file"]
