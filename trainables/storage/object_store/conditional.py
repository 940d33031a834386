"""Writes that fail if another process wrote meanwhile; pyarrow has none, so the vendors' clients make them.

S3 has them as `If-None-Match: *` and `If-Match: ETAG` of a PUT (boto3), Google Cloud Storage as `ifGenerationMatch`
(its JSON API, with google-auth's credentials). Both clients come with `pip install 'searchspace[cluster]'`.
"""

from typing import NamedTuple, Protocol

CONNECT_TIMEOUT_S = 10
"""Time limit for a connection."""
RESPONSE_TIMEOUT_S = 20
"""Time limit for a response: well below the time after which a lease is stale."""


class Versioned(NamedTuple):
    """The content of a small remote file, and its version."""

    content: bytes
    version: str
    """ETag or generation; each content that is written has another."""


class ConflictError(Exception):
    """The file's version is not the one that a write required."""


class UnsupportedError(Exception):
    """The store does not support conditional writes."""


class ConditionalStore(Protocol):
    """Small files below one URL; each method raises OSError if the store fails."""

    def read(self, name: str) -> Versioned | None:
        """Read a file; None if it does not exist."""

    def version(self, name: str) -> str | None:
        """The version of a file; None if it does not exist."""

    def write(self, name: str, content: bytes, version: str | None) -> str:
        """Write a file if its version is `version` (None: if it does not exist); returns the new version.

        Raises `ConflictError` if it has another version, `UnsupportedError` if the store has no conditional writes.
        """
