"""A condition variable by key: a change wakes the tasks that wait for its key, and no others.

With one condition for all keys, each message would wake the owners and gangs of all slots: 1.3 ms at 512 slots, and
more with each slot.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from trainables.workers.slot_state import Gang, seconds_until_unneeded


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


class IdleGangs:
    """Waits for work for a gang until it has been idle for too long; with the lock of the condition held."""

    def __init__(self, condition: KeyedCondition, gangs: Sequence[Gang], seconds: float) -> None:
        """A gang that has been idle for so many seconds is not needed, unless no other gang is up."""
        self._condition, self._gangs, self._seconds = condition, gangs, seconds

    async def wait_for_work(self, gang: Gang, predicate: Callable[[], Any]) -> bool:
        """Wait until `predicate` is true; False once the gang has been idle for too long."""
        while not predicate():
            if self.seconds_left(gang) <= 0:
                return False
            await self.wait(gang, self.seconds_left(gang))
        return True

    async def wait(self, gang: Gang, seconds: float) -> None:
        """Wait until the gang's state changes, for `seconds` at most, and no longer than the idle time.

        The wait ends with the idle time because other gangs may have come up since.
        """
        most = min(seconds, self._seconds)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._condition.wait(gang), None if most == float("inf") else max(0.0, most))

    def seconds_left(self, gang: Gang) -> float:
        """Seconds until the gang is not needed; infinite where it has work."""
        return seconds_until_unneeded(gang, self._gangs, self._seconds)
