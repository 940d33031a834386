"""Batches: whatever is waiting when a replica can take more is what it is sent next, in one call.

A call costs a replica and this process more than a small image does, and nobody waits for a batch to fill.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from searchspace.serve.access import Refused
from searchspace.serve.answer import Answer, Unreadable, Upload

PATIENCE = 60.0
"""Seconds that an answer may take."""
WAITING = 1024
"""Images that may wait; who comes then is told to come again."""
MOST_BYTES = 32_000_000
"""Of a call, unless one image has more."""

Answers = Sequence[Answer | Unreadable]


@dataclass(frozen=True)
class Asked:
    """An image that waits."""

    upload: Upload
    """The image."""
    answer: "asyncio.Future[Answer | Unreadable]"
    """What somebody waits for."""


class Batches:
    """Sends images on, `most` at a time at most, in `lanes` calls at a time."""

    def __init__(self, send: Callable[[list[Upload]], Awaitable[Answers]], most: int, lanes: int) -> None:
        """`send` answers a batch, in its order."""
        self._send, self._most, self._lanes = send, most, lanes
        self._waiting: deque[Asked] = deque()
        self._sending: set[asyncio.Task[None]] = set()

    async def ask(self, upload: Upload) -> Answer | Unreadable:
        """The answer to one image; raises `Refused` where too many wait, or it takes too long, and what `send` does."""
        if len(self._waiting) >= WAITING:
            raise Refused(503, "too many images are waiting; come again")
        asked = Asked(upload, asyncio.get_running_loop().create_future())
        self._waiting.append(asked)
        if len(self._sending) < self._lanes:
            lane = asyncio.create_task(self._empty())
            self._sending.add(lane)
            lane.add_done_callback(self._sending.discard)
        try:
            return await asyncio.wait_for(asked.answer, PATIENCE)
        except TimeoutError as error:
            raise Refused(503, "no answer in time; come again") from error

    async def _empty(self) -> None:
        """Send batches until nothing waits."""
        while batch := self._next():
            try:
                answers = await self._send([asked.upload for asked in batch])
            except Exception as error:  # whatever it is, these wait for it
                for asked in batch:
                    if not asked.answer.done():
                        asked.answer.set_exception(error)
            else:
                for asked, answer in zip(batch, answers, strict=True):
                    if not asked.answer.done():  # somebody may have waited long enough
                        asked.answer.set_result(answer)

    def _next(self) -> list[Asked]:
        batch: list[Asked] = []
        size = 0
        while self._waiting and len(batch) < self._most:
            size += len(self._waiting[0].upload.content)
            if batch and size > MOST_BYTES:
                break
            asked = self._waiting.popleft()
            if not asked.answer.done():
                batch.append(asked)
        return batch
