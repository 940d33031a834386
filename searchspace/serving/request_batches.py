"""Batches of requests: all images that wait when a replica can take more are sent to it in one call.

A call costs a replica and this process more than a small image does; no request waits for a batch to fill.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from searchspace.serving.access import RequestError


@dataclass(frozen=True)
class UploadedImage:
    """An image as it was sent."""

    name: str
    """What to call it in answers."""
    content: bytes
    """Encoded, in the format that its content shows."""


@dataclass(frozen=True)
class ImageScores:
    """What the model says of an image."""

    probabilities: NDArray[np.float32]
    """Of each class (classes,)."""
    batch: int
    """Images that were classified at a time, this one included."""


@dataclass(frozen=True)
class UnreadableImage:
    """An image that cannot be decoded."""

    reason: str
    """Which, and why, in one line."""


ANSWER_TIMEOUT_S = 60.0
"""Seconds that an answer may take."""
MAX_QUEUED_IMAGES = 1024
"""Images that may wait; further requests get status 503."""

Answers = Sequence[ImageScores | UnreadableImage]


@dataclass(frozen=True)
class QueuedImage:
    """An image that waits."""

    upload: UploadedImage
    """The image."""
    answer: "asyncio.Future[ImageScores | UnreadableImage]"
    """The answer that its request waits for."""


class RequestBatches:
    """Sends images on, `most` at a time at most, of `size` bytes together, in `lanes` calls at a time."""

    def __init__(
        self, send: Callable[[list[UploadedImage]], Awaitable[Answers]], most: int, lanes: int, size: int
    ) -> None:
        """`send` answers a batch, in its order; one image may have more than `size` bytes."""
        self._send, self._most, self._lanes, self._size = send, most, lanes, size
        self._waiting: deque[QueuedImage] = deque()
        self._sending: set[asyncio.Task[None]] = set()

    async def ask(self, upload: UploadedImage) -> ImageScores | UnreadableImage:
        """The answer to one image; raises `Refused` where too many wait, or it takes too long, and what `send` does."""
        if len(self._waiting) >= MAX_QUEUED_IMAGES:
            raise RequestError(503, "too many images are waiting; try again later")
        asked = QueuedImage(upload, asyncio.get_running_loop().create_future())
        self._waiting.append(asked)
        if len(self._sending) < self._lanes:
            lane = asyncio.create_task(self._empty())
            self._sending.add(lane)
            lane.add_done_callback(self._sending.discard)
        try:
            return await asyncio.wait_for(asked.answer, ANSWER_TIMEOUT_S)
        except TimeoutError as error:
            raise RequestError(503, "no answer in time; try again later") from error

    async def _empty(self) -> None:
        """Send batches until nothing waits."""
        while batch := self._next():
            if error := await self._answer(batch):
                await self._retry(batch, error)

    async def _answer(self, batch: list[QueuedImage]) -> Exception | None:
        """Send a batch and pass on its answers; returns the error of a failed call, whose requests still wait."""
        try:
            answers = await self._send([asked.upload for asked in batch])
        except Exception as error:  # of any kind: the requests of the batch still wait
            return error
        for asked, answer in zip(batch, answers, strict=True):
            if not asked.answer.done():  # its caller may have given up
                asked.answer.set_result(answer)
        return None

    async def _retry(self, batch: list[QueuedImage], error: Exception) -> None:
        """Send the images of a call that failed one by one, so that the error is told only to whose image it is."""
        for asked in batch:
            failed = error if len(batch) == 1 else None
            if len(batch) > 1 and not asked.answer.done():
                failed = await self._answer([asked])
            if failed and not asked.answer.done():
                asked.answer.set_exception(failed)

    def _next(self) -> list[QueuedImage]:
        batch: list[QueuedImage] = []
        size = 0
        while self._waiting and len(batch) < self._most:
            size += len(self._waiting[0].upload.content)
            if batch and size > self._size:
                break
            asked = self._waiting.popleft()
            if not asked.answer.done():
                batch.append(asked)
        return batch
