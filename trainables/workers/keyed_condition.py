"""Who waits for what: a change wakes those whom it may concern, and nobody else, however many wait beside them.

On one condition for all, each message would wake all slots' owners and gangs: 1.3 ms at 512 slots, and the more the
more there are.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from typing import Any


class Bell:
    """One lock, and under it a bell for each thing that is waited at."""

    def __init__(self) -> None:
        """Nobody waits."""
        self._lock = asyncio.Lock()
        self._at: dict[Any, asyncio.Condition] = defaultdict(lambda: asyncio.Condition(self._lock))

    async def __aenter__(self) -> None:
        await self._lock.acquire()

    async def __aexit__(self, *_: object) -> None:
        self._lock.release()

    def ring(self, *things: Any) -> None:
        """Wake those who wait at any of `things`; without any, everybody. With the lock held."""
        for condition in [self._at[thing] for thing in things] or self._at.values():
            condition.notify_all()

    async def wait(self, thing: Any) -> None:
        """Wait at `thing` until it rings; with the lock held, then and again afterwards."""
        await self._at[thing].wait()

    async def wait_for(self, thing: Any, happens: Callable[[], Any]) -> None:
        """Wait at `thing` until something `happens`."""
        await self._at[thing].wait_for(happens)
