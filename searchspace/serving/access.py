"""Access to the service: with a token, all callers that show it; without one, requests from this machine to itself."""

import hmac
import secrets
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from pydantic import Field

from trainables.common.errors import UserError
from trainables.config import Frozen

TOKEN_VARIABLE = "SEARCHSPACE_SERVE_TOKEN"  # noqa: S105  # the variable's name
"""Environment variable that the token is taken from."""
MIN_TOKEN_CHARACTERS = 16
"""Characters of a token."""
HEALTH_PATH = "/healthz"
"""Path that says whether the service is up."""
PUBLIC_PATHS = ("/", HEALTH_PATH)
"""Paths that say nothing of the model: the page, which asks for the token itself, and whether the service is up."""


class RequestError(Exception):  # no defect: an answer
    """A request that is answered with a status of its own, and one line."""

    def __init__(self, status: int, reason: str) -> None:
        """HTTP status, and why."""
        super().__init__(reason)
        self.status, self.reason = status, reason


class Access(Frozen):
    """The rule that a service lets requests in by."""

    token: str = Field("", repr=False)
    """What callers show; empty at a service that only this machine reaches."""
    host: str
    """Address that it listens at."""

    def check(self, path: str, headers: Mapping[str, str]) -> None:
        """Raise `Refused` for a request that may not ask for `path`; names in `headers` are in lower case."""
        if self.token:
            shown = headers.get("authorization", "").removeprefix("Bearer ")
            if path not in PUBLIC_PATHS and not hmac.compare_digest(shown.encode(), self.token.encode()):
                raise RequestError(
                    401, f"needs the header Authorization: Bearer TOKEN, with the token of ${TOKEN_VARIABLE}"
                )
            return
        # A page from elsewhere may post here, or have a name of its own resolve to here.
        host, origin = headers.get("host", ""), headers.get("origin")
        name = _host_of(f"//{host}")
        if name is None:
            raise RequestError(400, f"Host {host!r} is no host and port")
        if name not in {"localhost", self.host} and not is_loopback(name):
            raise RequestError(421, f"{name!r} is not this service; without a token it answers to localhost")
        if origin is not None and (_host_of(origin) is None or urlsplit(origin).netloc != host):
            raise RequestError(403, "a page of another origin may not ask")


def _host_of(url: str) -> str | None:
    """The host that a URL names, empty if none; None if it is no URL."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for what is none
        return parts.hostname or ""
    except ValueError:
        return None


def read_access(host: str, address: str, environment: Mapping[str, str]) -> Access:
    """The rule at `host`, which is `address`; beyond loopback without a token in `environment`, a fresh one.

    Raises `UserError` for a token that is too short, or that no header can hold.
    """
    token = environment.get(TOKEN_VARIABLE, "")
    if token and (len(token) < MIN_TOKEN_CHARACTERS or not all("!" <= letter <= "~" for letter in token)):
        raise UserError(
            f"${TOKEN_VARIABLE}: a token has {MIN_TOKEN_CHARACTERS} characters or more, printable ASCII without spaces"
        )
    return Access(token=token or ("" if is_loopback(address) else secrets.token_urlsafe(32)), host=host)


def is_loopback(address: str) -> bool:
    """Whether an IP address is this machine's own; False for a name."""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False
