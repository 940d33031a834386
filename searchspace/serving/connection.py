"""One HTTP connection: uvicorn's, with bounds on a request's head, deadlines, and every error in JSON."""

import asyncio
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from searchspace.serving.access import HEALTH_PATH
from searchspace.serving.connection_limits import (
    CLOSE_TIMEOUT_S,
    WRITE_TIMEOUT_S,
    ConnectionLimits,
    ConnectionPhase,
    is_overdue,
    peer_of,
)
from searchspace.serving.responses import add_headers, error_bytes, error_response

MAX_HEAD_BYTES = 32_768
"""Bytes of a request's line and header fields."""
SWEEP_INTERVAL_S = 1.0
"""Seconds between looks for connections that are overdue."""
TOO_MANY_CONNECTIONS = "too many connections; try again later"


class Connection(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *given: Any, gate: ConnectionLimits, **named: Any) -> None:
        """As uvicorn makes it, let in by `gate`."""
        super().__init__(*given, **named)
        self._gate = gate
        self.phase, self.since, self.peer, self.reserved = ConnectionPhase.HEAD, 0.0, "", False
        self._in_head = self._in_message = False
        self._head = 0
        self._refusal: tuple[int, str] | None = None
        self._stuck: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Ask to be let in."""
        super().connection_made(transport)
        self.peer = peer_of(self.client[0]) if self.client else ""
        self._enter(ConnectionPhase.HEAD)
        victim = self._gate.admit(self)
        if self.reserved:
            self.app = HealthOnlyApp(self.app)
        if isinstance(victim, Connection):
            victim.refuse(503, TOO_MANY_CONNECTIONS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Make room."""
        self._gate.forget(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; a head has a largest size, of which the parser knows nothing."""
        super().data_received(data)
        if self.phase is ConnectionPhase.BODY:
            self.since = self.loop.time()
        if self._in_head and not self.transport.is_closing():
            self._head += len(data)
            if self._head > MAX_HEAD_BYTES:
                self.refuse(*_head_too_large())

    def eof_received(self) -> bool:  # type: ignore[override]
        """The peer sends no more; a request that arrived whole is still answered."""
        whole = self.phase is ConnectionPhase.REQUEST and not self._in_message
        if whole:
            self.cycle.keep_alive = False
        return whole

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._in_head = self._in_message = True
        self._head = 0
        if self.phase in {ConnectionPhase.IDLE, ConnectionPhase.REST}:
            self._enter(ConnectionPhase.HEAD)

    def on_headers_complete(self) -> None:
        """A request's head is whole; what this raises, the parser passes to `send_400_response`."""
        self._in_head = False
        if sum(len(name) + len(value) + 4 for name, value in self.headers) + len(self.url) > MAX_HEAD_BYTES:
            self._refusal = _head_too_large()
            raise ValueError
        super().on_headers_complete()
        if self.phase is not ConnectionPhase.REQUEST:  # that is: unless an earlier request is being answered
            self._enter(ConnectionPhase.BODY)

    def on_message_complete(self) -> None:
        """A request is whole."""
        super().on_message_complete()
        self._in_message = False
        if self.phase is ConnectionPhase.BODY:
            self._enter(ConnectionPhase.REQUEST)
        elif self.phase is ConnectionPhase.REST:
            self._enter(ConnectionPhase.IDLE)

    def on_response_complete(self) -> None:
        """A request is answered, and perhaps not read to its end."""
        last = not self.pipeline
        super().on_response_complete()
        if last:
            self._enter(ConnectionPhase.REST if self._in_message else ConnectionPhase.IDLE)
        elif not self.pipeline and self.cycle.more_body:  # the next request, now begun, is not whole
            self._enter(ConnectionPhase.BODY)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # uvicorn's own words
        """Answer what is no request."""
        self.refuse(*(self._refusal or (400, "is no HTTP request that can be read")))

    def refuse(self, status: int, reason: str) -> None:
        """Answer with an error if nothing else is being sent, and close."""
        begun = self.cycle is not None and not self.cycle.response_complete
        stuck = self.transport.get_write_buffer_size() > 0
        if stuck or self.pipeline or self.phase is ConnectionPhase.REST or (begun and self.cycle.response_started):
            self.transport.abort()
            return
        if begun:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.phase is not ConnectionPhase.IDLE:
            self.transport.write(error_bytes(status, reason))
        self.transport.close()

    def close_if_overdue(self, now: float) -> None:
        """End what is overdue at this time of the loop's clock."""
        sent = not self.transport.get_write_buffer_size()
        self._stuck = None if sent and not self.transport.is_closing() else self._stuck or now
        if self._stuck and now - self._stuck > (CLOSE_TIMEOUT_S if self.transport.is_closing() else WRITE_TIMEOUT_S):
            self.transport.abort()
        elif not self.transport.is_closing() and is_overdue(self.phase, now - self.since):
            if self.phase is ConnectionPhase.HEAD and not self._in_message:
                self.transport.close()  # nothing was asked, so nothing is answered
            else:
                self.refuse(408, "the head of the request did not arrive in time")

    def _enter(self, phase: ConnectionPhase) -> None:
        self.phase, self.since = phase, self.loop.time()


class HealthOnlyApp:
    """The application on reserved connections: it answers `/healthz` only."""

    def __init__(self, app: Any) -> None:
        """In front of `app`."""
        self._app: ASGIApp = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what asks whether the service is up, refuse the rest."""
        if scope["path"] == HEALTH_PATH:
            await self._app(scope, receive, send)
        else:
            await error_response(503, TOO_MANY_CONNECTIONS, {"Connection": "close"})(scope, receive, add_headers(send))


async def close_overdue_connections(gate: ConnectionLimits) -> None:
    """End connections that are overdue, until cancelled."""
    while True:
        await asyncio.sleep(SWEEP_INTERVAL_S)
        now = asyncio.get_running_loop().time()
        for member in list(gate.members):
            if isinstance(member, Connection):
                member.close_if_overdue(now)


def _head_too_large() -> tuple[int, str]:
    return 431, f"the head of the request is larger than {MAX_HEAD_BYTES:,} bytes"
