"""Folders of stores in this machine's cache, and which of them are of use."""

import hashlib
import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path

from trainables.data.copies.copy_summary import KeptReason
from trainables.data.data_options import DataOptions
from trainables.data.sources.source import RawSet
from trainables.data.splits import SPLIT_SEED
from trainables.data.store.data_summary import DataSummary
from trainables.data.store.file_digests import find_damage
from trainables.data.store.shared_store import SUMMARY_FILE
from trainables.storage.cache import cache_folder, discard
from trainables.storage.files import read_record

logger = logging.getLogger(__name__)

STORE_VERSION = 4
"""Version of the layout below; stores of other versions are rebuilt."""
# A store's folder: `images.npy` (uint8, n x channels x height x width, or flat beside `sizes.npy`) and `labels.npy`
# hold train, then val; `groups.npy` and `weights.npy` are beside them where the source has these;
# `test/` holds the same files, and `origins.json`, for the locked test split; `bad-images.csv` and
# `leaked-images.csv` list such images, if any; `contents.json` has the digests of all files.
STORES = "stores"
"""Folder in the cache for stores that were built on this machine."""
BUILDING_SUFFIX = ".building"
"""Suffix of a store's folder while it is built."""


@dataclass(frozen=True)
class StorePlaces:
    """Folders of the stores of a data set."""

    whole: Path
    """Store with all images, as every store of earlier versions is."""
    without: Path
    """Store that copies of held-out images were left out of; there is none where there are no copies."""

    @classmethod
    def choose(cls, raw: RawSet, options: DataOptions) -> "StorePlaces":
        """The folders for these options, in this machine's cache."""
        folder, name = cache_folder() / STORES, _file_name(raw.name)
        return cls(*(folder / f"{name}-{_store_key(raw, options, *given)}" for given in ((), ("without copies",))))

    @property
    def building(self) -> Path:
        """Folder of the store while it is built."""
        return self.whole.with_name(self.whole.name + BUILDING_SUFFIX)

    def choose_folder(self, built: DataSummary) -> Path:
        """The folder for a store that was built."""
        return self.without if built.copies and built.copies.left_out else self.whole

    def find(self, kept: KeptReason) -> Path | None:
        """The undamaged store to use, if there is one; a damaged one is discarded."""
        if not kept and _is_sound(self.without):
            return self.without
        if not _is_sound(self.whole):
            return None
        copies = read_record(self.whole / SUMMARY_FILE, DataSummary).copies
        return self.whole if kept or (copies is not None and not copies.leaving) else None


def _is_sound(folder: Path) -> bool:
    """Whether an undamaged store is there; a damaged one is discarded."""
    damage = find_damage(folder) if os.path.lexists(folder) else ""
    if damage:
        logger.warning(f"the prepared images in {folder} are damaged ({damage}); preparing them again")
        discard(folder)
    return folder.is_dir()


def _file_name(name: str) -> str:
    """A name reduced to characters that are valid in file names and printable."""
    return re.sub(r"[^\w.-]", "_", name)[:50]


def _store_key(raw: RawSet, options: DataOptions, *more: str) -> str:
    shape = (raw.channels, "whole", raw.whole.side) if raw.whole else (raw.channels, raw.height, raw.width)
    # How images are stored is in the shape; so images of one size have one store for all of these options.
    others = {name: value for name, value in options.key.items() if name not in {"store_side", "keep_aspect"}}
    given = (others,) if others else ()
    return hashlib.blake2b(
        repr((STORE_VERSION, raw.identity, raw.classes, shape, SPLIT_SEED, *given, *more)).encode(), digest_size=6
    ).hexdigest()
