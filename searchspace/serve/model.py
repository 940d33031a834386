"""The Ray Serve deployment: replicas that decode images and classify them, as many at a time as are waiting."""

import asyncio
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from ray import serve
from ray.exceptions import RayError
from ray.serve.exceptions import BackPressureError, RayServeException

from searchspace.serve.access import Refused
from searchspace.serve.answer import Answer, Unreadable, Upload
from searchspace.serve.options import ServeOptions
from trainables.data.decode import decode
from trainables.data.part import Image
from trainables.deploy.runner import Runner
from trainables.errors import UserError
from trainables.machine import core_count

PATIENCE = 60.0
"""Seconds that an answer may take."""
HEALTHY = 10.0
"""Seconds in which a healthy replica says that it is there."""
WAITING = 512
"""Images that may wait for a replica; who comes then is told to come again."""


class Classifier:
    """One replica."""

    def __init__(self, file: Path, threads: int, batch: int, wait: float) -> None:
        """Load `file`, for so many threads; `batch` images at a time, which wait so many seconds for each other."""
        _listen_on_loopback()
        self._runner, self._decoding = Runner(file, threads), ThreadPoolExecutor(threads)
        channels, height, width = self._runner.shape
        self._shape = height, width, channels
        batching: Any = self._classify  # which the decorator gives more methods than its types say
        batching.set_max_batch_size(batch)
        batching.set_batch_wait_timeout_s(wait)

    async def ask(self, upload: Upload) -> Answer | Unreadable:
        """What is on an image, or why it cannot be read."""
        loop = asyncio.get_running_loop()
        try:
            image = await loop.run_in_executor(self._decoding, decode, upload.content, upload.name, self._shape)
        except UserError as error:
            return Unreadable(str(error))
        answer: Answer = await self._classify(image)
        return answer

    async def check(self) -> None:
        """That it answers is the answer."""

    @serve.batch
    async def _classify(self, images: list[Image]) -> list[Answer]:
        # The loop waits for the model on purpose: what is decoded meanwhile is the next batch. If it went on, batches
        # would be formed of whatever is there each millisecond, and then queue.
        found = self._runner.probabilities(np.stack(images).transpose(0, 3, 1, 2))
        return [Answer(each, len(images)) for each in found]


class Replicas:
    """The replicas, as those who ask see them."""

    def __init__(self, handle: Any) -> None:
        """Ask through Serve's `handle`, which passes requests to whichever has least to do."""
        self._handle = handle

    async def ask(self, upload: Upload) -> Answer | Unreadable:
        """What is on an image; raises `Refused` where no replica answers."""
        with _refusing():
            async with asyncio.timeout(PATIENCE):
                answer: Answer | Unreadable = await self._handle.ask.remote(upload)
        return answer

    async def check(self) -> None:
        """Raise `Refused` unless a replica answers."""
        with _refusing():
            async with asyncio.timeout(HEALTHY):
                await self._handle.check.remote()


def deploy(file: Path, options: ServeOptions) -> Replicas:
    """Start the replicas on the Ray that this process is connected to."""
    quiet = {"log_level": "ERROR", "enable_access_log": False}
    logging.getLogger("ray.serve").setLevel(logging.ERROR)
    made = serve.deployment(
        num_replicas=options.replicas, max_ongoing_requests=3 * options.batch, max_queued_requests=WAITING,
        ray_actor_options={"num_cpus": 0}, logging_config=quiet,
    )(Classifier)  # fmt: skip
    threads = max(1, core_count() // options.replicas)
    # HTTP is spoken by this process: Serve's own proxies know neither tokens nor limits, and have paths of their own.
    serve.start(proxy_location="Disabled", logging_config=quiet)
    bound = made.bind(file.resolve(), threads, options.batch, options.wait_ms / 1e3)
    return Replicas(serve.run(bound, name="searchspace", route_prefix=None))


@contextmanager
def _refusing() -> Iterator[None]:
    """`Refused` in the place of what Ray says."""
    try:
        yield
    except BackPressureError as error:
        raise Refused(503, "too many images are waiting; come again") from error
    except TimeoutError as error:
        raise Refused(503, "no answer in time; come again") from error
    except (RayError, RayServeException) as error:
        raise Refused(503, "the process that had this image is gone; come again") from error


def _listen_on_loopback() -> None:
    """Serve lets replicas ask each other, which none here does, through a port that is open on every address."""
    from ray.serve._private import replica

    there: Any = replica
    bind = there.add_port_to_grpc_server
    there.add_port_to_grpc_server = lambda server, _address: bind(server, "127.0.0.1:0")
