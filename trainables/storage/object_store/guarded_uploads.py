"""Uploads that take effect only while the command still holds its search."""

from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from trainables.storage.files import open_file
from trainables.storage.object_store.conditional import ConditionalStore, ConflictError
from trainables.storage.object_store.remote import PARTIAL, TRANSFER_BYTES, Remote

CONFLICT_ATTEMPTS = 3
"""Attempts to upload a file that another process keeps changing."""


def open_conditional(remote: Remote) -> ConditionalStore | None:
    """Conditional writes below `remote`; None if the client for its store is not installed."""
    scheme = remote.url.partition("://")[0]
    if scheme == "s3" and find_spec("boto3"):
        from trainables.storage.object_store.conditional_s3 import S3Store

        return S3Store(remote)
    if scheme == "gs" and find_spec("google") and find_spec("google.auth") and find_spec("requests"):
        from trainables.storage.object_store.conditional_gcs import GcsStore

        return GcsStore(remote)
    return None


class GuardedUploads:
    """Changes files below a URL only directly after a check that raises nothing.

    A machine may be suspended between the check and the request. So, with conditional writes, a small file replaces
    only the version that was read before the check. pyarrow also publishes unfinished uploads: a large file is uploaded
    under a temporary name, and renamed after a second check.
    """

    def __init__(
        self, remote: Remote, check: Callable[[], None], renew: Callable[[], None], mark: str,
        store: ConditionalStore | None,
    ) -> None:  # fmt: skip
        """Upload below `remote`; `check` and `renew` raise OSError if it is not allowed; `mark` names this writer."""
        self._remote, self._check, self._renew, self._mark, self._store = remote, check, renew, mark, store
        self._versions: dict[str, str] = {}

    def send(self, file: Path, name: str, size: int) -> None:
        """Upload the first `size` bytes of `file`; raises OSError."""
        if size > TRANSFER_BYTES:
            return self._send_large(file, name, size)
        with open_file(file) as source:
            content = source.read(size)
        if self._store is not None:
            return self._replace(self._store, name, content)
        self._check()
        return self._remote.write(name, content)

    def delete(self, name: str) -> None:
        """Delete a remote file; raises OSError."""
        self._check()
        self._versions.pop(name, None)
        self._remote.delete(name)

    def _replace(self, store: ConditionalStore, name: str, content: bytes) -> None:
        for _ in range(CONFLICT_ATTEMPTS):
            version = self._versions.pop(name, None) or store.version(name)
            self._check()
            try:
                self._versions[name] = store.write(name, content, version)
                return
            except ConflictError:
                self._renew()  # reads the lease from the store
        raise OSError(f"{name} at {self._remote.url} keeps changing")

    def _send_large(self, file: Path, name: str, size: int) -> None:
        beside = f"{name}.{self._mark}{PARTIAL}"
        self._check()
        self._remote.send(file, beside, size)
        try:
            self._check()
        except OSError:
            with suppress(OSError):
                self._remote.delete(beside)
            raise
        self._versions.pop(name, None)
        self._remote.move(beside, name)
