"""Conditional writes to S3 and compatible stores, by boto3."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from urllib.parse import parse_qs

from trainables.storage.object_store.conditional import (
    CONNECT_TIMEOUT_S,
    RESPONSE_TIMEOUT_S,
    ConflictError,
    UnsupportedError,
    Versioned,
)
from trainables.storage.object_store.remote import Remote

MISSING = {"NoSuchKey", "404"}
CHANGED = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"} | MISSING
"""Error codes of a conditional write whose condition does not hold, also since the file was deleted."""


class S3Store:
    """`ConditionalStore` of a bucket; a version is an ETag."""

    def __init__(self, remote: Remote) -> None:
        """Access `remote` with the credentials, region and endpoint that pyarrow uses for it."""
        self._bucket, _, self._prefix = remote.root.partition("/")
        self._client = _connect(remote)

    def read(self, name: str) -> Versioned | None:
        """Read a file; None if it does not exist."""
        from botocore.exceptions import ClientError

        with _as_os_error():
            try:
                found = self._client.get_object(Bucket=self._bucket, Key=self._key(name))
                return Versioned(found["Body"].read(), found["ETag"])
            except ClientError as error:
                if _code(error) in MISSING:
                    return None
                raise

    def version(self, name: str) -> str | None:
        """The file's ETag; None if it does not exist."""
        from botocore.exceptions import ClientError

        with _as_os_error():
            try:
                return str(self._client.head_object(Bucket=self._bucket, Key=self._key(name))["ETag"])
            except ClientError as error:
                if _code(error) in MISSING:
                    return None
                raise

    def write(self, name: str, content: bytes, version: str | None) -> str:
        """Write a file if its version is `version`; returns the new one."""
        from botocore.exceptions import ClientError

        condition = {"IfMatch": version} if version else {"IfNoneMatch": "*"}
        with _as_os_error():
            try:
                done = self._client.put_object(Bucket=self._bucket, Key=self._key(name), Body=content, **condition)
            except ClientError as error:
                if _code(error) in CHANGED:
                    raise ConflictError(name) from error
                if _code(error) in {"NotImplemented", "501"}:
                    raise UnsupportedError(name) from error
                raise
        return str(done["ETag"])

    def _key(self, name: str) -> str:
        return f"{self._prefix}/{name}" if self._prefix else name


def _connect(remote: Remote) -> Any:
    """A client of the endpoint that pyarrow uses for the same URL."""
    query = {name: values[-1] for name, values in parse_qs(remote.url.partition("?")[2]).items()}
    endpoint = query.get("endpoint_override", "")
    if endpoint and "://" not in endpoint:
        endpoint = f"{query.get('scheme', 'https')}://{endpoint}"
    elsewhere = endpoint or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    return _client(remote.system.region, endpoint, "path" if elsewhere else "auto")


@cache
def _client(region: str, endpoint: str, addressing: str) -> Any:
    """One client for each endpoint; creating one takes a third of a second, and threads may share it."""
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=CONNECT_TIMEOUT_S, read_timeout=RESPONSE_TIMEOUT_S, retries={"total_max_attempts": 2},
        request_checksum_calculation="when_required", response_checksum_validation="when_required",
        s3={"addressing_style": addressing},
    )  # fmt: skip
    session = boto3.session.Session()
    return session.client("s3", region_name=region or None, endpoint_url=endpoint or None, config=config)


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def _as_os_error() -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise OSError(str(error)) from error
