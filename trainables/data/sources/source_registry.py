"""The registry of data sources: sets known by name and layouts of files, and how `--data` is resolved to one."""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.common.errors import UserError, suggest
from trainables.common.licence import Licence
from trainables.data.copies.copy_summary import KeptReason
from trainables.data.data_options import DataOptions
from trainables.data.image_groups import group_by_path
from trainables.data.in_memory.kept_files import is_kept
from trainables.data.sources import (
    cifar,
    digits,
    fashion_mnist,
    image_folder,
    image_table,
    npz_file,
    parquet,
    saved_arrow,
)
from trainables.data.sources.archives import check_unpacked
from trainables.data.sources.source import USERS_LICENCE, DataSource, RawSet
from trainables.data.tables.remote_images import fetch_table, is_table_url
from trainables.storage.cache import cache_folder
from trainables.storage.local_copy import fetch_copy
from trainables.storage.object_store.remote import is_url

SOURCES: dict[str, DataSource] = {
    "digits": digits.SOURCE,
    "fashion-mnist": fashion_mnist.SOURCE,
    "cifar10": cifar.CIFAR10_SOURCE,
    "cifar100": cifar.CIFAR100_SOURCE,
    "npz": npz_file.SOURCE,
    "arrow": saved_arrow.SOURCE,
    "parquet": parquet.SOURCE,
    "table": image_table.SOURCE,
    "images": image_folder.SOURCE,
}
"""Every data source by name. Layouts are tried in this order: the last one takes any folder."""
NAMED_SETS: dict[str, DataSource] = {name: source for name, source in SOURCES.items() if source.recognizes is None}
"""Sets that `--data` takes by name."""
LAYOUTS: dict[str, DataSource] = {name: source for name, source in SOURCES.items() if source.recognizes is not None}
"""Layouts of the files that `--data` takes by path or URL."""
OWN_SOURCES: dict[str, DataSource] = {}
"""Sources of the user's own, which `trainables.custom` registers; `--data-source` names one."""


def describe_sources() -> str:
    """What `--data` takes, in one sentence for help."""
    return f"{', '.join(NAMED_SETS)}, or the path or URL of {_list_layouts()}"


def _list_layouts() -> str:
    *first, last = (source.summary for source in LAYOUTS.values())
    return f"{', '.join(first)} or {last}"


def licence_of_data(origin: str) -> Licence:
    """Terms of the images that `--data` names."""
    return NAMED_SETS[origin].licence if origin in NAMED_SETS else USERS_LICENCE


def pixels_of_data(origin: str) -> str:
    """How the published pixels of a set were converted to values from 0 to 255; empty where they have these values."""
    return NAMED_SETS[origin].pixels if origin in NAMED_SETS else ""


def kept_reason(origin: str, options: DataOptions) -> KeptReason:
    """Why copies of held-out images stay in training; empty if they leave.

    Those of sets known by name stay, so that figures are comparable with published ones.
    """
    if options.keep_copies:
        return "asked"
    return "published" if origin in NAMED_SETS else ""


def open_source(origin: str, options: DataOptions | None = None) -> RawSet:
    """Open what `--data` names: a set of `NAMED_SETS`, or a path or URL of files in one of the `LAYOUTS`.

    The files of a URL are downloaded into this machine's cache first, as far as they have changed. Raises `UserError`
    for anything else, and for a data set that cannot be used.
    """
    options = options or DataOptions()
    if options.data_source:
        return group_by_path(_open_own(origin, options), options)
    if origin in NAMED_SETS:
        return group_by_path(NAMED_SETS[origin].open(cache_folder() / "downloads", options), options)
    if is_table_url(origin):
        path, folder = fetch_table(origin)
        options = options.model_copy(update={"root": options.root or folder})
    else:
        path = fetch_source(origin) if is_url(origin) else Path(os.path.expanduser(origin))
    if not path.exists():
        if is_kept(origin):
            raise UserError(
                f"--data {origin!r}: the data were given in memory, and are no longer in the cache; give them again: "
                "searchspace.load(...).resume(data=...)"
            )
        raise UserError(
            f"--data {origin!r}: neither a known data set ({', '.join(NAMED_SETS)}) nor an existing file or folder"
            f"{suggest(path.name, NAMED_SETS)}"
        )
    check_unpacked(path)
    for source in LAYOUTS.values():
        if source.recognizes is not None and source.recognizes(path):
            return group_by_path(check_usable(source.open(path, options), origin), options)
    raise UserError(f"--data {origin!r}: is no data set that is read here; give {_list_layouts()}")


def _open_own(origin: str, options: DataOptions) -> RawSet:
    """Open what `--data` names with a source of the user's own."""
    if origin in NAMED_SETS:
        raise UserError(
            f"--data {origin!r}: is a set that is known by name; with --data-source give the path or URL that it opens"
        )
    source = OWN_SOURCES.get(options.data_source)
    if source is None:
        raise UserError(
            f"--data-source {options.data_source!r}: its code is not loaded here; give FILE.py:NAME, or the search"
        )
    path = fetch_source(origin) if is_url(origin) else Path(os.path.expanduser(origin))
    return check_usable(source.open(path, options), origin)


def fetch_source(url: str) -> Path:
    """Local folder with a copy of the files at `url` as they are now; raises `UserError` where there are none."""
    return fetch_copy("--data", url, "data", "there are no files").folder


def check_usable(raw: RawSet, origin: str) -> RawSet:
    """Return `raw` if it can be searched on.

    Raises `UserError` for one class, a label that is no class's number, or a class without training images.
    """
    if len(raw.classes) < 2:
        only = f"only one class, {raw.classes[0]!r}; a classifier needs at least 2"
        raise UserError(f"--data {origin!r}: {only}; add images of others")
    for name, part in raw.parts.items():
        wrong = part.labels[(part.labels < 0) | (part.labels >= len(raw.classes))]
        if len(wrong):
            raise UserError(
                f"--data {origin!r}: {len(wrong):,} images of {name} have labels such as {wrong[0]}; "
                f"labels are 0 to {len(raw.classes) - 1} (-1 is how hubs mark unlabelled parts: leave those out)"
            )
    counts: NDArray[np.int64] = np.bincount(raw.parts["train"].labels, minlength=len(raw.classes))
    if not counts.all():
        raise UserError(f"--data {origin!r}: class {raw.classes[int(counts.argmin())]!r} has no training image")
    return raw
