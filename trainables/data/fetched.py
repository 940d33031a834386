"""A data set at a URL, fetched once a machine; from then on only what changed there is fetched."""

from pathlib import Path

from filelock import FileLock

from trainables.errors import UserError
from trainables.home.mirror import Home, Mirror, copy_folder
from trainables.home.storage import open_remote, say_trouble


def fetch_source(url: str) -> Path:
    """Folder here with the files at `url`, as they are there now; raises `UserError` where there are none."""
    open_remote("--data", url)
    folder = copy_folder("data", url)
    folder.mkdir(parents=True, exist_ok=True)
    mirror = Mirror(Home(folder=str(folder), url=url))
    try:
        with FileLock(str(folder) + ".lock"):
            mirror.pull()
            found = mirror.prune()
    except OSError as error:
        raise UserError(f"--data {url!r}: {say_trouble(error)}") from error
    if not found:
        raise UserError(f"--data {url!r}: there are no files")
    return folder
