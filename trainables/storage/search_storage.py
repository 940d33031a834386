"""Where a search is stored: a folder that all its processes see, or a local folder with a copy in an object store."""

from contextlib import suppress
from pathlib import Path

from trainables.config import Frozen
from trainables.storage.folders import files_below, remove_tree, stat_path
from trainables.storage.object_store.remote import Remote, join_url

LEASE = "search.lease"
"""File at a search's URL that says which command works on it."""


class SearchStorage(Frozen):
    """Where a search lives: a folder that all its processes see, or a folder here whose twin all its nodes reach."""

    folder: str
    """The search's folder; with a URL, this machine's working copy of it."""
    url: str = ""
    """Its twin in shared storage; empty where the folder itself is shared."""
    lease: str = ""
    """Id of the lease under which this command works on the search at the URL; empty where none is held."""

    def check_lease(self) -> None:
        """Raise OSError where another command holds the search by now: this one's workers leave nothing there."""
        if self.lease:
            content = Remote.open(self.url).read(LEASE)
            if content is not None and self.lease.encode() not in content:
                raise OSError(f"another command has taken over the search at {self.url}")

    def name_of(self, path: str) -> str:
        """Name, relative to the folder, of something in it; empty for the folder itself."""
        name = Path(path).relative_to(self.folder).as_posix()
        return "" if name == "." else name

    def url_of(self, path: str) -> str:
        """URL of something in the folder."""
        return join_url(self.url, self.name_of(path))

    def measure_folder(self, path: Path) -> int:
        """Bytes of the files in a folder of it, where gangs leave them; 0 while storage does not answer."""
        if not self.url:
            return sum(found.st_size for _, file in files_below(path) if (found := stat_path(file)))
        with suppress(OSError):
            return sum(entry.size for entry in Remote.open(self.url_of(str(path))).list().values())
        return 0

    def remove_folder(self, path: Path) -> None:
        """Delete a folder of it, here and in shared storage, as far as that is possible."""
        remove_tree(path)
        if self.url:
            with suppress(OSError):
                self.check_lease()
                remote = Remote.open(self.url_of(str(path)))
                for name in remote.list():
                    remote.delete(name)
