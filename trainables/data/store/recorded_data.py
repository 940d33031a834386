"""Opens the data that a record names; the record is not trusted, so its paths are not opened.

The images are a store on this machine, a set known by name, or what the user names. Their fingerprint, a hash of all
pixels, labels and class names, must equal the recorded one.
"""

import re
from pathlib import Path

from trainables.common.errors import UserError
from trainables.common.reporter import Reporter
from trainables.data.data_options import DataOptions
from trainables.data.sources.source_registry import NAMED_SETS
from trainables.data.store.data_summary import DataSummary
from trainables.data.store.file_digests import find_damage
from trainables.data.store.store import Store, open_store, prepare_data
from trainables.storage.cache import cache_folder
from trainables.storage.files import read_record

FINISHED_STORE_NAME = re.compile(r"-[0-9a-f]{12,}$")
"""Pattern of the names of stores that are not being built, downloaded or discarded."""


def open_recorded_data(recorded: DataSummary, given: str, reporter: Reporter) -> Store:
    """Open the store of the data in a record; `given` is the data that the user names, or empty.

    Raises `UserError` if the data are not on this machine, or are different.
    """
    origin = given or (recorded.origin if recorded.origin in NAMED_SETS else "")
    found = find_prepared_store(recorded.fingerprint)
    if found is None and origin:
        found = _prepare(origin, reporter, recorded.options_to_repeat)
        if found.fingerprint != recorded.fingerprint:
            raise UserError(
                f"--data {origin!r}: are not the images that the model was trained on (their fingerprint is "
                f"{found.fingerprint[:12]!r}, the recorded one {recorded.fingerprint[:12]!r})"
            )
    if found is None:
        raise UserError(
            f"the images that the model was trained on, {recorded.name!r} with the fingerprint "
            f"{recorded.fingerprint[:12]!r}, are not prepared on this machine; give them: --data FOLDER "
            f"(the record says {recorded.origin!r})"
        )
    if any(
        getattr(found, name) != getattr(recorded, name)
        for name in ("classes", "channels", "height", "width", "aspect_kept")
    ):
        raise UserError(f"the images of {recorded.name!r} have other classes or another size than the record says")
    return open_store(found.model_copy(update={"shared": "", "finals": recorded.finals}))


def _prepare(origin: str, reporter: Reporter, options: DataOptions) -> DataSummary:
    """Prepare what the user names, with a record's options but for the place that its paths start from."""
    try:
        return prepare_data(origin, reporter, options.model_copy(update={"root": ""}))
    except UserError as error:
        if not options.root:
            raise
        raise UserError(
            f"--data {origin!r}: the search read images from --root {options.root!r}, which no record may choose; put "
            "the table into the folder of its images, and give it there"
        ) from error


def find_prepared_store(fingerprint: str) -> DataSummary | None:
    """Summary of the undamaged store in this machine's cache with this fingerprint; None if there is none."""
    for file in sorted((cache_folder() / "stores").glob("*/summary.json")):
        if not FINISHED_STORE_NAME.search(file.parent.name):
            continue
        try:
            found = read_record(file, DataSummary)
        except (UserError, OSError):
            continue  # another store's damage is reported when that store is opened
        if found.fingerprint == fingerprint and not find_damage(file.parent):
            return found.model_copy(update={"path": str(Path(file).parent)})
    return None
