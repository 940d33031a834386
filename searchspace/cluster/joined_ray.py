"""Connects to Ray on a running cluster with the cluster's token; an error is one line with its remedy."""

import os
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from searchspace.ray_compat import CONNECT_RETRIES, answers_without_token
from trainables.common.errors import UserError

CLIENT_PREFIX = "ray://"
"""How an address for Ray Client begins: then this process is no part of the cluster, and reaches only its head."""
TOKEN_VARIABLES = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
"""Environment variables that a token is taken from; without one, `~/.ray/auth_token` is read."""


@contextmanager
def joined(address: str, variables: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Options of `ray.init` for the cluster at `address`, whose workers get `variables`; wraps that call alone.

    Raises `UserError` where no cluster answers, or where Ray reports that the cluster refuses this search.
    """
    check_reachable(address)
    if os.environ.keys() & set(TOKEN_VARIABLES):
        os.environ.setdefault("RAY_AUTH_MODE", "token")  # for an address, Ray shows no token without it
    os.environ.setdefault(CONNECT_RETRIES, "3")  # something answers there; Ray would try for 20 s
    from ray.exceptions import AuthenticationError

    with tempfile.TemporaryFile() as told:
        try:
            with _stderr_into(told.fileno()):
                yield {"address": address, "runtime_env": {"env_vars": dict(variables)}}
        except (ConnectionError, ValueError, RuntimeError, AuthenticationError) as error:
            told.seek(0)
            refused = isinstance(error, AuthenticationError) or b"Unauthenticated" in f"{error}".encode() + told.read()
            said = format_token_advice() if refused else _in_a_line(error)
            if address.startswith(CLIENT_PREFIX) and "timeout" in said:  # its client never says why
                advice = f"set RAY_AUTH_MODE=token and {' or '.join(TOKEN_VARIABLES)}"
                said += f"; a wrong token times out, too: {advice}"
            raise UserError(f"--address {address!r}: {said}") from error


def check_tokens(address: str) -> None:
    """Raise `UserError` where this search has joined a cluster with a token that the cluster does not ask for.

    The cluster's workers have none to show to this search, which would hear nothing of them.
    """
    if os.environ.get("RAY_AUTH_MODE") != "token" or os.environ.get("RAY_USE_TLS") or address.startswith(CLIENT_PREFIX):
        return
    import ray

    if not answers_without_token(ray.get_runtime_context().gcs_address):
        return
    raise UserError(
        f"--address {address!r}: this search has a token, and the cluster asks for none; start every node with "
        "RAY_AUTH_MODE=token and the same token, or, on a network of your own, search with RAY_AUTH_MODE=disabled"
    )


def _in_a_line(error: Exception) -> str:
    """What went wrong; of a traceback from elsewhere, its last line."""
    first, *more = str(error).strip().splitlines() or [type(error).__name__]
    return f"{first} {more[-1].strip()}" if more and first.endswith(":") else first


def check_reachable(address: str) -> None:
    """Raise `UserError` where nothing listens at HOST:PORT; Ray itself would retry for minutes."""
    host, colon, port = address.removeprefix(CLIENT_PREFIX).rpartition(":")
    if not (colon and port.isdigit()):
        return  # `auto`
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except (OSError, OverflowError) as error:
        said = getattr(error, "strerror", None) or error
        raise UserError(f"--address {address!r}: no Ray cluster answers there ({said})") from error


def format_token_advice() -> str:
    """Names alone: the token itself is in no message."""
    mode = os.environ.get("RAY_AUTH_MODE", "not set")
    given = [name for name in TOKEN_VARIABLES if os.environ.get(name)]
    source = given[0] if given else "~/.ray/auth_token, if there is one"
    return (
        f"the cluster refuses this search's token; set RAY_AUTH_MODE=token and {' or '.join(TOKEN_VARIABLES)} to the "
        f"cluster's (RAY_AUTH_MODE is {mode}, the token is from {source})"
    )


@contextmanager
def _stderr_into(file: int) -> Iterator[None]:
    """Ray's core writes why a cluster refuses it to standard error, over and over, and raises something vaguer."""
    sys.stderr.flush()
    kept = os.dup(2)
    os.dup2(file, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
