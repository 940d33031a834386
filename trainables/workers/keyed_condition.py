"""A condition variable by key: a change wakes the tasks that wait for its key, and no others.

With one condition for all keys, each message would wake the owners and gangs of all slots: 1.3 ms at 512 slots, and
more with each slot.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from typing import Any


class KeyedCondition:
    """One lock, and a condition on it for each key."""

    def __init__(self) -> None:
        """Make the lock; conditions are made with the first wait for their key."""
        self._lock = asyncio.Lock()
        self._conditions: dict[Any, asyncio.Condition] = defaultdict(lambda: asyncio.Condition(self._lock))

    async def __aenter__(self) -> None:
        await self._lock.acquire()

    async def __aexit__(self, *_: object) -> None:
        self._lock.release()

    def notify(self, *keys: Any) -> None:
        """Wake the tasks that wait for any of `keys`, or for any key if none is given; with the lock held."""
        for condition in [self._conditions[key] for key in keys] or self._conditions.values():
            condition.notify_all()

    async def wait(self, key: Any) -> None:
        """Wait until `key` is notified; with the lock held before and after."""
        await self._conditions[key].wait()

    async def wait_for(self, key: Any, predicate: Callable[[], Any]) -> None:
        """Wait until `predicate` is true, which is tested whenever `key` is notified."""
        await self._conditions[key].wait_for(predicate)
