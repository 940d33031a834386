"""Conditional writes to Google Cloud Storage, by its JSON API and google-auth."""

import os
from typing import Any
from urllib.parse import parse_qs, quote

from trainables.storage.object_store.conditional import (
    CONNECT_TIMEOUT_S,
    RESPONSE_TIMEOUT_S,
    ConflictError,
    Versioned,
)
from trainables.storage.object_store.remote import ANONYMOUS, Remote

GOOGLE = "https://storage.googleapis.com"
SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"


class GcsStore:
    """`ConditionalStore` of a bucket; a version is a generation."""

    def __init__(self, remote: Remote) -> None:
        """Access `remote` with the credentials and endpoint that pyarrow uses for it."""
        self._bucket, _, self._prefix = remote.root.partition("/")
        query = {name: values[-1] for name, values in parse_qs(remote.url.partition("?")[2]).items()}
        endpoint = query.get("endpoint_override") or os.environ.get("CLOUD_STORAGE_EMULATOR_ENDPOINT", "")
        if endpoint and "://" not in endpoint:
            endpoint = f"{query.get('scheme', 'https')}://{endpoint}"
        self._base = endpoint.rstrip("/") or GOOGLE
        anonymous = remote.url.partition("://")[2].startswith(ANONYMOUS)
        self._session = _open_session(anonymous=anonymous or "CLOUD_STORAGE_EMULATOR_ENDPOINT" in os.environ)

    def read(self, name: str) -> Versioned | None:
        """Read a file; None if it does not exist."""
        answer = self._ask("GET", self._object(name), alt="media")
        if answer.status_code == 404:
            return None
        _raise_failed(answer)
        return Versioned(answer.content, answer.headers["x-goog-generation"])

    def version(self, name: str) -> str | None:
        """The file's generation; None if it does not exist."""
        answer = self._ask("GET", self._object(name), fields="generation")
        if answer.status_code == 404:
            return None
        _raise_failed(answer)
        return str(answer.json()["generation"])

    def write(self, name: str, content: bytes, version: str | None) -> str:
        """Write a file if its version is `version`; returns the new one."""
        answer = self._ask(
            "POST", f"/upload/storage/v1/b/{self._bucket}/o", content,
            uploadType="media", name=self._key(name), ifGenerationMatch=version or "0",
        )  # fmt: skip
        if answer.status_code == 412:
            raise ConflictError(name)
        _raise_failed(answer)
        return str(answer.json()["generation"])

    def _ask(self, method: str, path: str, content: bytes | None = None, **query: str) -> Any:
        from google.auth.exceptions import GoogleAuthError

        try:
            return self._session.request(
                method, self._base + path, params=query, data=content, timeout=(CONNECT_TIMEOUT_S, RESPONSE_TIMEOUT_S)
            )
        except GoogleAuthError as error:
            raise OSError(str(error)) from error  # the errors of requests are OSErrors

    def _object(self, name: str) -> str:
        return f"/storage/v1/b/{self._bucket}/o/{quote(self._key(name), safe='')}"

    def _key(self, name: str) -> str:
        return f"{self._prefix}/{name}" if self._prefix else name


def _open_session(anonymous: bool) -> Any:
    if anonymous:
        import requests

        return requests.Session()
    import google.auth
    from google.auth.exceptions import GoogleAuthError
    from google.auth.transport import requests as authorized

    try:
        credentials, _ = google.auth.default(scopes=[SCOPE])
    except GoogleAuthError as error:
        raise OSError(str(error)) from error
    client: Any = authorized
    return client.AuthorizedSession(credentials)


def _raise_failed(answer: Any) -> None:
    if answer.status_code >= 400:
        raise OSError(f"{answer.request.method} {answer.url.partition('?')[0]}: {answer.status_code} {answer.reason}")
