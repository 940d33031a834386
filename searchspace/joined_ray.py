"""Ray on a cluster that runs already: its own token lets this search in, or one line says what is wrong."""

import os
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from trainables.errors import UserError

WHERE = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
"""Environment variables that a token is taken from; without one, `~/.ray/auth_token` is read."""


@contextmanager
def joined(address: str, variables: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Options of `ray.init` for the cluster at `address`, whose workers get `variables`; wraps that call alone.

    Raises `UserError` where no cluster answers, and for what Ray says of one that lets nobody in.
    """
    _check_reachable(address)
    if os.environ.keys() & set(WHERE):
        os.environ.setdefault("RAY_AUTH_MODE", "token")  # for an address, Ray shows no token without it
    os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "3")  # something answers there; Ray would try for 20 s
    from ray.exceptions import AuthenticationError

    with tempfile.TemporaryFile() as told:
        try:
            with _stderr_into(told.fileno()):
                yield {"address": address, "runtime_env": {"env_vars": dict(variables)}}
        except (ConnectionError, ValueError, AuthenticationError) as error:
            told.seek(0)
            refused = isinstance(error, AuthenticationError) or b"Unauthenticated" in told.read()
            said = what_to_set() if refused else str(error).splitlines()[0]
            raise UserError(f"--address {address!r}: {said}") from error


def _check_reachable(address: str) -> None:
    """Raise `UserError` where nothing listens at HOST:PORT; Ray would go on trying for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not (colon and port.isdigit()):
        return  # `auto`
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except (OSError, OverflowError) as error:
        raise UserError(f"--address {address!r}: no Ray cluster answers there ({error})") from error


def what_to_set() -> str:
    """Names alone: the token itself is in no message."""
    mode = os.environ.get("RAY_AUTH_MODE", "not set")
    given = [name for name in WHERE if os.environ.get(name)]
    return (
        f"the cluster refuses this search's token; set RAY_AUTH_MODE=token and {' or '.join(WHERE)} to the cluster's "
        f"(RAY_AUTH_MODE is {mode}, the token is from {given[0] if given else '~/.ray/auth_token, if there is one'})"
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
