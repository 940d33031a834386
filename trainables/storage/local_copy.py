"""A copy here of what lies at a URL, the newest there is, for who only reads it."""

from filelock import FileLock

from trainables.common.errors import UserError
from trainables.storage.folder_sync import Home, Mirror, Wanted, copy_folder, everything
from trainables.storage.folders import make_folder
from trainables.storage.object_store.remote import open_remote, say_trouble


def copied(option: str, url: str, kind: str, missing: str, wanted: Wanted = everything) -> Mirror:
    """The copy of this `kind` in this machine's cache, with what is `wanted` at `url` now, and nothing else.

    Only what changed is fetched, by one process at a time. Raises `UserError` about `option` for a URL that cannot be
    read, and says what is `missing` where there is nothing.
    """
    open_remote(option, url)
    mirror = Mirror(Home(folder=str(copy_folder(kind, url)), url=url))
    make_folder(mirror.folder)
    try:
        with FileLock(str(mirror.folder) + ".lock"):
            mirror.pull(wanted)
            found = mirror.prune()
    except OSError as error:
        raise UserError(f"{option} {url!r}: {say_trouble(error)}") from error
    if not found:
        raise UserError(f"{option} {url!r}: {missing}")
    return mirror
