"""What other trials can use: slots whose owner has died, and gangs that have been idle for long."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

from trainables.ray_compat import is_dead
from trainables.workers.keyed_condition import KeyedCondition
from trainables.workers.slot_state import Gang, SlotState, seconds_until_unneeded

ANSWER_TIMEOUT_S = 0.1
"""Seconds in which an owner shows that it is alive; one that does not answer is busy."""


async def find_dead(slots: Iterable[SlotState]) -> list[SlotState]:
    """The slots whose owner has died."""
    return [slot for slot in list(slots) if slot.owner is not None and await is_dead(slot.owner, ANSWER_TIMEOUT_S)]


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
