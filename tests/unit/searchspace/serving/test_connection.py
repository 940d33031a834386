"""Which phase a connection is in, and what it is told where it makes room: on a real socket, with an app that waits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from searchspace.serving.connection import Connection
from searchspace.serving.connection_limits import PHASE_TIMEOUTS_S, ConnectionLimits, ConnectionPhase

pytestmark = pytest.mark.anyio

GET = b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n"
HALF_BODY = b"POST /wait HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Place:
    """A server whose app reads a request to its end and answers once `answering` is set."""

    def __init__(self) -> None:
        self.gate = ConnectionLimits(most=4, reserve=1)
        self.answering = asyncio.Event()
        self.made: list[Connection] = []
        self.port = 0
        self._config = Config(self._answer, log_level="error", lifespan="off", ws="none", interface="asgi3")
        self._config.load()

    def make(self) -> Connection:
        self.made.append(Connection(config=self._config, server_state=ServerState(), app_state={}, gate=self.gate))
        return self.made[-1]

    async def _answer(self, scope, receive, send) -> None:
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            if not message["more_body"]:
                break
        if scope["path"] == "/wait":
            await self.answering.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})

    async def open(self, sent: bytes) -> tuple[Connection, asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(sent)
        await asyncio.sleep(0.05)
        return self.made[-1], reader, writer


@asynccontextmanager
async def opened() -> AsyncIterator[Place]:
    place = Place()
    server = await asyncio.get_running_loop().create_server(place.make, "127.0.0.1", 0)
    place.port = server.sockets[0].getsockname()[1]
    try:
        yield place
    finally:
        place.answering.set()
        for one in place.made:
            one.transport.abort()
        server.close()
        await asyncio.sleep(0.05)


async def test_a_body_counts_from_its_last_byte_and_becomes_a_request_when_it_is_whole():
    async with opened() as place:
        one, _, writer = await place.open(HALF_BODY)
        assert one.phase is ConnectionPhase.BODY
        before = one.since
        writer.write(b"x")
        await asyncio.sleep(0.05)
        assert one.since > before
        writer.write(b"x" * 7)
        await asyncio.sleep(0.05)
        assert one.phase is ConnectionPhase.REQUEST
        place.answering.set()
        await asyncio.sleep(0.05)
        assert one.phase is ConnectionPhase.IDLE


async def test_the_stalest_body_makes_room_and_a_request_that_is_answered_does_not():
    async with opened() as place:
        answered, _, _ = await place.open(GET)
        half, reader, _ = await place.open(HALF_BODY)
        newcomer, _, _ = await place.open(GET)
        assert (await reader.read()).startswith(b"HTTP/1.1 503 ")
        assert half not in place.gate.members
        assert answered in place.gate.members
        assert not newcomer.reserved
        refused, reader, _ = await place.open(GET)
        assert refused.reserved
        assert (await reader.read()).startswith(b"HTTP/1.1 503 ")


async def test_a_half_sent_body_behind_a_request_can_make_room_once_that_is_answered():
    async with opened() as place:
        one, _, _ = await place.open(GET + HALF_BODY)
        assert one.phase is ConnectionPhase.REQUEST
        place.answering.set()
        await asyncio.sleep(0.05)
        assert one.phase is ConnectionPhase.BODY
        assert one in place.gate.members


async def test_whole_requests_behind_one_another_are_all_answered():
    async with opened() as place:
        one, reader, _ = await place.open(GET * 3)
        assert one.phase is ConnectionPhase.REQUEST
        place.answering.set()
        await asyncio.sleep(0.05)
        assert one.phase is ConnectionPhase.IDLE
        assert (await reader.read(10_000)).count(b"HTTP/1.1 200 ") == 3


@pytest.mark.parametrize(("sent", "answer"), [(b"", b""), (b"GET / HT", b"HTTP/1.1 408 ")])
async def test_who_sent_nothing_is_told_nothing(sent, answer):
    async with opened() as place:
        one, reader, _ = await place.open(sent)
        one.close_if_overdue(one.since + PHASE_TIMEOUTS_S[ConnectionPhase.HEAD] + 1)
        assert (await reader.read())[:13] == answer
