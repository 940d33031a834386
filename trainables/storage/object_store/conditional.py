"""Writes that a store makes only if nobody else wrote meanwhile; pyarrow's file systems have none, so clients do it.

S3 has them as `If-None-Match: *` and `If-Match: ETAG` of a PUT (boto3), Google Cloud Storage as `ifGenerationMatch`
(its JSON API, with google-auth's credentials). Both clients come with `pip install 'searchspace[cluster]'`.
"""

from importlib.util import find_spec
from typing import NamedTuple, Protocol

from trainables.storage.object_store.remote import Remote

CONNECT_TIMEOUT_S = 10
"""Within which a store has to accept a connection."""
RESPONSE_TIMEOUT_S = 20
"""Within which it has to answer: well below the time after which a lease is stale."""


class Versioned(NamedTuple):
    """A small file at a store, and which version of it."""

    content: bytes
    version: str
    """ETag or generation; another for each content that was written."""


class ConflictError(Exception):
    """The file is no longer, or not yet, the version that a write asked for."""


class UnsupportedError(Exception):
    """The store refuses conditional writes as such."""


class ConditionalStore(Protocol):
    """Small files below one URL; each method raises OSError where the store fails."""

    def read(self, name: str) -> Versioned | None:
        """A file; None where there is none."""

    def version(self, name: str) -> str | None:
        """Which version of a file is there; None where there is none."""

    def write(self, name: str, content: bytes, version: str | None) -> str:
        """Write a file if it is still at `version`, None: if there is none; the new version.

        Raises `ConflictError` where it is not, `UnsupportedError` where the store has no such writes.
        """


def open_conditional(remote: Remote) -> ConditionalStore | None:
    """Conditional writes below `remote`; None where the client for its kind of store is not installed."""
    scheme = remote.url.partition("://")[0]
    if scheme == "s3" and find_spec("boto3"):
        from trainables.storage.object_store.conditional_s3 import S3Store

        return S3Store(remote)
    if scheme == "gs" and find_spec("google") and find_spec("google.auth") and find_spec("requests"):
        from trainables.storage.object_store.conditional_gcs import GcsStore

        return GcsStore(remote)
    return None
