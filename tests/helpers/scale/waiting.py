"""What it costs to wait for many: Tune's actor manager over as many futures, and the driver's threads, one a gang."""

import threading
import time
from contextlib import suppress
from typing import Any

import ray
from ray.air.execution import FixedResourceManager
from ray.air.execution._internal import RayActorManager

from tests.helpers.scale.costs import Points

ROUNDS = 60


class Never:
    """Answers one call, and never another."""

    async def now(self) -> int:
        return 0

    async def never(self) -> None:
        import asyncio

        await asyncio.Event().wait()


def measure(sizes: tuple[int, ...], threads: int) -> tuple[Points, float]:
    """CPU seconds of one wait of Tune's loop, by futures; and cores that one waiting thread keeps busy. Ray is up."""
    actor = ray.remote(Never).options(num_cpus=0, max_concurrency=max(sizes) + threads + 100).remote()
    manager = RayActorManager(resource_manager=FixedResourceManager({"CPU": 0.0}))
    found: Points = {}
    held = 0
    for size in sizes:
        for _ in range(size - held):
            manager._actor_task_events.track_future(actor.never.remote())
        held = size
        found[size] = _one(manager, actor)
    idle = _threads(actor, threads)
    ray.kill(actor)
    return found, idle


def _one(manager: Any, actor: Any) -> float:
    spent = 0.0
    for _ in range(ROUNDS):
        ready = actor.now.remote()
        ray.wait([ready])
        manager._actor_task_events.track_future(ready)
        started = time.thread_time()
        assert manager.next(timeout=1)
        spent += time.thread_time() - started
    return spent / ROUNDS


def _threads(actor: Any, count: int) -> float:
    def wait() -> None:
        with suppress(ray.exceptions.RayError):  # it is killed in the end
            ray.get(actor.never.remote())

    before = _idle()
    for _ in range(count):
        threading.Thread(target=wait, daemon=True).start()
    time.sleep(2)
    return max(0.0, _idle() - before) / count


def _idle(seconds: float = 4.0) -> float:
    """Cores that this process keeps busy while it does nothing."""
    started = time.process_time()
    time.sleep(seconds)
    return (time.process_time() - started) / seconds
