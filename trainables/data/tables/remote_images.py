"""Tables, and the images that they name, at URLs of object stores: copies of the files that a table needs.

The cells of a table choose neither a host nor credentials: these come from the command line or the environment.
"""

import hashlib
import os
import posixpath
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trainables.common.errors import UserError
from trainables.common.escaping import printable
from trainables.data.tables.cell_values import to_texts
from trainables.data.tables.file_lookup import FileLookup, find_root, normal_path
from trainables.data.tables.table_file import is_table_name
from trainables.storage.folder_sync import FileFilter
from trainables.storage.local_copy import fetch_copy
from trainables.storage.object_store.remote import check_location, check_recorded_location, is_url

if TYPE_CHECKING:
    import pandas as pd


def is_table_url(place: str) -> bool:
    """Whether a place is the URL of a table."""
    return is_url(place) and is_table_name(place.partition("?")[0])


def fetch_table(url: str) -> tuple[Path, str]:
    """A local copy of the table at a URL, and the URL of its folder; raises `UserError` where there is none."""
    base, mark, query = url.partition("?")
    parent, _, name = base.rpartition("/")
    folder = parent + mark + query
    copy = fetch_copy(
        "--data", folder, f"tables/{_digest([name])}", f"there is no {name!r}", lambda found: found == name
    )
    return copy.folder / name, folder


def make_lookup(where: str, frame: "pd.DataFrame", root: str, default: Path, follow_links: bool) -> FileLookup:
    """The files that a table may name, those at URLs copied to this machine as far as they have changed.

    `root` is the folder or URL that paths start from, empty for the `default`. Raises `UserError` where a URL cannot be
    read, or a cell's chooses a host or credentials.
    """
    cells = {text for place in range(frame.shape[1]) for text in to_texts(frame.iloc[:, place]) if text}
    copies = {}
    if urls := sorted(text for text in cells if is_url(text)):
        for text in urls:
            _check_cell(where, text)
        parent = _common_parent(where, urls)
        names = {text[len(parent) + 1 :] for text in urls}
        copies[parent] = _fetch(where, parent, names, lambda name: name in names)
    if is_url(root):
        names = {normal_path(posixpath.basename(text.replace("\\", "/"))) for text in cells if not is_url(text)}
        return FileLookup(_fetch(where, root, names, lambda name: _has_name(name, names)), False, False, copies)
    if copies and not root:
        default = next(iter(copies.values()))
    return FileLookup(find_root(where, root, default), follow_links, True, copies)


def _fetch(where: str, url: str, names: Iterable[str], wanted: FileFilter) -> Path:
    """Folder with a copy of the wanted files at a URL, of its own for these names."""
    return fetch_copy(
        f"{where}: images at", url, f"tables/{_digest(names)}", "none that the table names", wanted
    ).folder


def _check_cell(where: str, text: str) -> None:
    try:
        check_recorded_location(check_location(text))
    except ValueError as error:
        raise UserError(f"{where}: a cell's URL {printable(text)!r} {error}") from error


def _common_parent(where: str, urls: Sequence[str]) -> str:
    """The URL of the deepest folder that all files are in."""
    parents = [url.rpartition("/")[0] for url in urls]
    scheme = parents[0].partition("://")[0]
    common = os.path.commonpath([parent.partition("://")[2] for parent in parents])
    if not common or any(not parent.startswith(f"{scheme}://") for parent in parents):
        raise UserError(
            f"{where}: names images in several buckets, such as {urls[0]!r} and {urls[-1]!r}; copy them to one"
        )
    return f"{scheme}://{common}"


def _has_name(name: str, names: Collection[str]) -> bool:
    """Whether a file's name, with or without its suffix, is one of these."""
    file = normal_path(posixpath.basename(name))
    return file in names or posixpath.splitext(file)[0] in names


def _digest(names: Iterable[str]) -> str:
    return hashlib.blake2b("\0".join(sorted(names)).encode(errors="replace"), digest_size=8).hexdigest()
