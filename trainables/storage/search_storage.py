"""Where a search is stored: a folder that all its processes share, or a local folder with a copy at a URL."""

from contextlib import suppress
from pathlib import Path

from trainables.config import Frozen
from trainables.storage.folders import files_below, remove_tree, stat_path
from trainables.storage.object_store.remote import Remote, join_url

LEASE = "search.lease"
"""File at a search's URL that names the command that works on it."""


class SearchStorage(Frozen):
    """Where a search is stored: a folder that all its processes share, or a local folder with a copy at a URL."""

    folder: str
    """The search's folder; with a URL, this machine's copy of it."""
    url: str = ""
    """URL of the copy in an object store; empty if the folder itself is shared."""
    lease: str = ""
    """Id of the lease under which this command works on the search; empty if it holds none."""

    def check_lease(self) -> None:
        """Raise OSError if another command has taken the lease, so that this command's workers stop uploading."""
        if self.lease:
            content = Remote.open(self.url).read(LEASE)
            if content is not None and self.lease.encode() not in content:
                raise OSError(f"another command has taken over the search at {self.url}")

    def name_of(self, path: str) -> str:
        """The name of a path relative to the folder; empty for the folder itself."""
        name = Path(path).relative_to(self.folder).as_posix()
        return "" if name == "." else name

    def url_of(self, path: str) -> str:
        """URL of a path in the folder."""
        return join_url(self.url, self.name_of(path))

    def measure_folder(self, path: Path) -> int:
        """Bytes of the files below a path, at the URL if there is one; 0 if the store does not respond."""
        if not self.url:
            return sum(found.st_size for _, file in files_below(path) if (found := stat_path(file)))
        with suppress(OSError):
            return sum(entry.size for entry in Remote.open(self.url_of(str(path))).list().values())
        return 0

    def remove_folder(self, path: Path) -> None:
        """Delete a folder, locally and at the URL, as far as possible."""
        remove_tree(path)
        if self.url:
            with suppress(OSError):
                self.check_lease()
                remote = Remote.open(self.url_of(str(path)))
                for name in remote.list():
                    remote.delete(name)
