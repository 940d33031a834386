"""The Ray Serve deployment: replicas that decode images and classify them, a batch at a time."""

import asyncio
import logging
from collections.abc import Iterable, Iterator
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
from searchspace.serving.access import Refused
from searchspace.serving.byte_budget import Decodes, return_freed_memory
from searchspace.serving.request_batches import PATIENCE, Answer, Answers, Batches, Unreadable, Upload
from searchspace.serving.service_limits import CHECKS, LANES, Limits, ServeOptions
from trainables.common.errors import UserError
from trainables.common.machine import core_count
from trainables.data.decoding import decode as decoding
from trainables.data.decoding.pixels import Image
from trainables.export.predictor import Predictor

HEALTHY = 10.0
"""Seconds in which a healthy replica says that it is there."""


class Classifier:
    """One replica."""

    def __init__(self, file: Path, threads: int, limits: Limits) -> None:
        """Load `file`, for so many threads."""
        bind_replicas_to_loopback()  # which answer no other process
        return_freed_memory()
        self._runner, self._decoding = Predictor(file, threads), ThreadPoolExecutor(threads)
        self._classifying = asyncio.Lock()
        channels, height, width = self._runner.shape
        self._shape = height, width, channels
        self._limits = decoding.DecodeLimits(limits.pixels, Decodes(limits.decoding).hold)

    async def ask(self, uploads: list[Upload]) -> list[Answer | Unreadable]:
        """What is on each image, or why it cannot be read."""
        loop = asyncio.get_running_loop()
        decodes = [loop.run_in_executor(self._decoding, self._decode, upload) for upload in uploads]
        decoded = await asyncio.gather(*decodes)
        images = [each for each in decoded if not isinstance(each, Unreadable)]
        async with self._classifying:  # one at a time: each takes all threads
            found = iter(await asyncio.to_thread(self._classify, images))
        return [each if isinstance(each, Unreadable) else Answer(next(found), len(images)) for each in decoded]

    async def check(self) -> None:
        """That it answers is the answer."""

    def _decode(self, upload: Upload) -> Image | Unreadable:
        try:
            return decoding.decode(upload.content, upload.name, self._shape, self._limits)
        except UserError as error:
            return Unreadable(str(error))

    def _classify(self, images: list[Image]) -> Iterable[NDArray[np.float32]]:
        return self._runner.probabilities(np.stack(images).transpose(0, 3, 1, 2)) if images else ()


class Replicas:
    """The replicas, as those who ask see them."""

    def __init__(self, handle: Any, options: ServeOptions, limits: Limits) -> None:
        """Ask through Serve's `handle`, which passes calls to whichever has least to do."""
        self._handle = handle
        self._batches = Batches(self._send, options.batch, LANES * options.replicas, limits.call)
        self._checking: asyncio.Task[None] | None = None

    async def ask(self, upload: Upload) -> Answer | Unreadable:
        """What is on an image; raises `Refused` where no replica answers."""
        return await self._batches.ask(upload)

    async def check(self) -> None:
        """Raise `Refused` unless a replica answers; whoever asks meanwhile waits for the same answer."""
        if self._checking is None or self._checking.done():
            self._checking = asyncio.create_task(self._check())
        await asyncio.shield(self._checking)

    async def _check(self) -> None:
        with _refusing():
            async with asyncio.timeout(HEALTHY):
                await self._handle.check.remote()

    async def _send(self, uploads: list[Upload]) -> Answers:
        with _refusing():
            async with asyncio.timeout(PATIENCE):  # or a replica that hangs would take its lanes with it
                answers: Answers = await self._handle.ask.remote(uploads)
        return answers


def deploy(file: Path, options: ServeOptions, limits: Limits) -> Replicas:
    """Start the replicas on the Ray that this process is connected to."""
    quiet = {"log_level": "ERROR", "enable_access_log": False}
    logging.getLogger("ray.serve").setLevel(logging.ERROR)
    made = serve.deployment(
        num_replicas=options.replicas, max_ongoing_requests=LANES + CHECKS,
        max_queued_requests=limits.calls,
        ray_actor_options={"num_cpus": 0}, logging_config=quiet,
    )(Classifier)  # fmt: skip
    # HTTP is spoken by this process: Serve's own proxies know neither tokens nor limits, and have paths of their own.
    serve.start(proxy_location="Disabled", logging_config=quiet)
    bound = made.bind(file.resolve(), max(1, core_count() // options.replicas), limits)
    return Replicas(serve.run(bound, name="searchspace", route_prefix=None), options, limits)


@contextmanager
def _refusing() -> Iterator[None]:
    """`Refused` in the place of what Ray says."""
    try:
        yield
    except BackPressureError as error:
        raise Refused(503, "too many are asking; come again") from error
    except TimeoutError as error:
        raise Refused(503, "no answer in time; come again") from error
    except (RayError, RayServeException) as error:
        raise Refused(503, "the process that had this image is gone; come again") from error
    except Exception as error:
        logging.getLogger("uvicorn.error").exception("a replica failed at a call")
        raise Refused(500, "the model failed at this image") from error
