"""A finished store at a URL: put there once by whoever prepared it, fetched once a node by all others."""

from pathlib import Path

from filelock import FileLock

from trainables.cache import cache_folder
from trainables.data.summary import DataSummary
from trainables.errors import UserError
from trainables.folders import files_below
from trainables.home.mirror import Home, Mirror
from trainables.home.storage import Remote, join, say_trouble
from trainables.teller import Teller

STORES = "stores"
"""Folder at the results' URL."""
FINISHED = "summary.json"
"""File of a store that is written last, so that a store with it is whole."""


def share_store(data: DataSummary, results: str, teller: Teller) -> DataSummary:
    """Put the store of `data` below `results`, unless it is there; returns the summary that tells of it.

    Raises `UserError` where that fails.
    """
    store = Path(data.path)
    url = join(results, STORES, f"{store.name}-{data.fingerprint[:12]}")
    try:
        remote = Remote.open(url)
        if remote.read(FINISHED) is None:
            teller.say(f"sharing {data.name}: its store goes to {url}, once")
            for name, file in sorted(files_below(store), key=lambda found: found[0] == FINISHED):
                if not name.startswith("features/"):  # each node computes its own
                    remote.send(file, name, file.stat().st_size)
    except OSError as error:
        raise UserError(f"--results {results!r}: {say_trouble(error)}") from error
    return data.model_copy(update={"shared": url})


def fetch_store(data: DataSummary) -> DataSummary:
    """The summary of this node's copy of a shared store, which the first caller fetches.

    Raises `RuntimeError` if it is of other data, or OSError.
    """
    folder = cache_folder() / "stores" / Path(data.path).name
    folder.parent.mkdir(exist_ok=True)
    with FileLock(str(folder) + ".lock"):
        if not (folder / FINISHED).is_file():
            beside = folder.with_name(folder.name + ".fetching")
            beside.mkdir(exist_ok=True)
            Mirror(Home(folder=str(beside), url=data.shared)).pull()
            beside.rename(folder)
    stored = DataSummary.model_validate_json((folder / FINISHED).read_bytes())
    if stored.fingerprint != data.fingerprint:
        raise RuntimeError(f"{folder} holds other data than {data.name}: {stored.fingerprint}, {data.fingerprint}")
    return data.model_copy(update={"path": str(folder)})
