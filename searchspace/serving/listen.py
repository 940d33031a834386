"""Opens the service's socket before anything else starts, and serves HTTP on it until a signal."""

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any, cast

from starlette.types import ASGIApp

from searchspace.cli.interruption import SIGNALS, Interrupted
from searchspace.serving.connection_limits import PHASE_TIMEOUTS_S, ConnectionLimits, ConnectionPhase, count_connections
from trainables.common.errors import UserError

BACKLOG = 512
"""Connections that wait to be accepted."""
SHUTDOWN_TIMEOUT_S = 30
"""Seconds that a service which is told to end gives the requests it has begun."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens at `host` and `port` (0: any); raises `UserError` where that cannot be."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except socket.gaierror as error:
        raise UserError(f"--host {host!r}: no address of this machine ({error.strerror})") from error
    except OSError as error:
        raise UserError(
            f"--host {host} --port {port}: cannot be listened at ({os.strerror(error.errno or 0)})"
        ) from error


@contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """Raise `Interrupted` at a signal; Ray's start, which takes SIGTERM for itself, is followed by `listen_again`."""
    install_signal_handlers()
    try:
        yield
    except SystemExit as ended:  # what Ray makes of it meanwhile
        raise Interrupted(signal.SIGTERM) from ended


def install_signal_handlers() -> None:
    """Raise `Interrupted` at a signal from here on."""
    for number in SIGNALS:
        signal.signal(number, _end)


def serve_http(app: ASGIApp, listening: socket.socket) -> None:
    """Answer until a signal, then end what was begun; raises `Interrupted`."""
    import uvicorn

    from searchspace.serving.connection import Connection, close_overdue_connections

    gate = ConnectionLimits(count_connections())

    class Server(uvicorn.Server):
        async def serve(self, sockets: list[socket.socket] | None = None) -> None:
            sweeping = asyncio.create_task(close_overdue_connections(gate))
            try:
                await super().serve(sockets)
            finally:
                sweeping.cancel()

    config = uvicorn.Config(
        app, log_level="error", access_log=False, lifespan="off", ws="none", server_header=False,
        proxy_headers=False, timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_S,
        timeout_keep_alive=int(PHASE_TIMEOUTS_S[ConnectionPhase.IDLE]),
        http=cast("Any", partial(Connection, gate=gate)),
    )  # fmt: skip
    Server(config).run(sockets=[listening])


def _end(number: int, _frame: FrameType | None) -> None:
    raise Interrupted(number)
