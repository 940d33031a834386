"""The Ray Serve deployment: replicas that decode images and classify them, a batch at a time."""

import asyncio
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ray import serve
from ray.exceptions import RayError
from ray.serve.exceptions import BackPressureError, RayServeException

from searchspace.ray_compat import bind_replicas_to_loopback
from searchspace.serving.access import RequestError
from searchspace.serving.byte_budget import DecodeBudget, return_freed_memory
from searchspace.serving.request_batches import (
    ANSWER_TIMEOUT_S,
    Answers,
    ImageScores,
    RequestBatches,
    UnreadableImage,
    UploadedImage,
)
from searchspace.serving.service_limits import CALLS_PER_REPLICA, MAX_HEALTH_CHECKS, ServeOptions, ServiceLimits
from trainables.common.environment import core_count
from trainables.common.errors import UserError
from trainables.data.decoding.decode_limits import DecodeLimits
from trainables.export.predictor import Predictor

HEALTH_TIMEOUT_S = 10.0
"""Seconds in which a healthy replica says that it is there."""


class ClassifierReplica:
    """One replica."""

    def __init__(self, file: Path, threads: int, limits: ServiceLimits) -> None:
        """Load `file`, for so many threads."""
        bind_replicas_to_loopback()  # which answer no other process
        return_freed_memory()
        self._runner, self._decoding = Predictor(file, threads), ThreadPoolExecutor(threads)
        self._classifying = asyncio.Lock()
        self._limits = DecodeLimits(limits.pixels, DecodeBudget(limits.decoding).hold)

    async def ask(self, uploads: list[UploadedImage]) -> list[ImageScores | UnreadableImage]:
        """What is on each image, or why it cannot be read."""
        loop = asyncio.get_running_loop()
        decodes = [loop.run_in_executor(self._decoding, self._decode, upload) for upload in uploads]
        decoded = await asyncio.gather(*decodes)
        images = [each for each in decoded if not isinstance(each, UnreadableImage)]
        async with self._classifying:  # one at a time: each takes all threads
            found = iter(await asyncio.to_thread(self._runner.classify, images))
        return [
            each if isinstance(each, UnreadableImage) else ImageScores(next(found), len(images)) for each in decoded
        ]

    async def check(self) -> None:
        """That it answers is the answer."""

    def _decode(self, upload: UploadedImage) -> NDArray[np.uint8] | UnreadableImage:
        try:
            return self._runner.read_image(upload.content, upload.name, self._limits)
        except UserError as error:
            return UnreadableImage(str(error))


class ReplicaClient:
    """The replicas, as those who ask see them."""

    def __init__(self, handle: Any, options: ServeOptions, limits: ServiceLimits) -> None:
        """Ask through Serve's `handle`, which passes calls to whichever has least to do."""
        self._handle = handle
        self._batches = RequestBatches(self._send, options.batch, CALLS_PER_REPLICA * options.replicas, limits.call)
        self._checking: asyncio.Task[None] | None = None

    async def ask(self, upload: UploadedImage) -> ImageScores | UnreadableImage:
        """Classify an image; raises `Refused` if no replica answers."""
        return await self._batches.ask(upload)

    async def check(self) -> None:
        """Raise `Refused` unless a replica answers; concurrent calls share one answer."""
        if self._checking is None or self._checking.done():
            self._checking = asyncio.create_task(self._check())
        await asyncio.shield(self._checking)

    async def _check(self) -> None:
        with _refusing():
            async with asyncio.timeout(HEALTH_TIMEOUT_S):
                await self._handle.check.remote()

    async def _send(self, uploads: list[UploadedImage]) -> Answers:
        with _refusing():
            async with asyncio.timeout(ANSWER_TIMEOUT_S):  # or a replica that hangs would take its lanes with it
                answers: Answers = await self._handle.ask.remote(uploads)
        return answers


def deploy(file: Path, options: ServeOptions, limits: ServiceLimits) -> ReplicaClient:
    """Start the replicas on the Ray that this process is connected to."""
    quiet = {"log_level": "ERROR", "enable_access_log": False}
    logging.getLogger("ray.serve").setLevel(logging.ERROR)
    made = serve.deployment(
        num_replicas=options.replicas, max_ongoing_requests=CALLS_PER_REPLICA + MAX_HEALTH_CHECKS,
        max_queued_requests=limits.calls,
        ray_actor_options={"num_cpus": 0}, logging_config=quiet,
    )(ClassifierReplica)  # fmt: skip
    # HTTP is spoken by this process: Serve's own proxies know neither tokens nor limits, and have paths of their own.
    serve.start(proxy_location="Disabled", logging_config=quiet)
    bound = made.bind(file.resolve(), max(1, core_count() // options.replicas), limits)
    return ReplicaClient(serve.run(bound, name="searchspace", route_prefix=None), options, limits)


@contextmanager
def _refusing() -> Iterator[None]:
    """`Refused` in the place of what Ray says."""
    try:
        yield
    except BackPressureError as error:
        raise RequestError(503, "too many requests; try again later") from error
    except TimeoutError as error:
        raise RequestError(503, "no answer in time; try again later") from error
    except (RayError, RayServeException) as error:
        raise RequestError(503, "the process that had this image has ended; try again later") from error
    except Exception as error:
        logging.getLogger("uvicorn.error").exception("a replica failed at a call")
        raise RequestError(500, "the model failed at this image") from error
