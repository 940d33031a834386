"""Gangs without work: how long each may still stay up, where its place can be of use to others."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from trainables.workers.keyed_condition import Bell
from trainables.workers.slot_state import Gang, seconds_to_rest


class Rest:
    """Waiting at a gang until it has work, or has had none for so long that it is not to be up; with the lock held."""

    def __init__(self, bell: Bell, gangs: Sequence[Gang], seconds: float) -> None:
        """A gang without work for so many seconds is not to be up, unless no other is."""
        self._bell, self._gangs, self._seconds = bell, gangs, seconds

    async def busy(self, gang: Gang, happens: Callable[[], Any]) -> bool:
        """Wait until something `happens`; False once the gang has had nothing to do for so long that it may rest."""
        while not happens():
            if self.left(gang) <= 0:
                return False
            await self.wait(gang, self.left(gang))
        return True

    async def wait(self, gang: Gang, seconds: float) -> None:
        """Wait until something changes for the gang, at most so long; it looks again at times: others may have come."""
        most = min(seconds, self._seconds)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._bell.wait(gang), None if most == float("inf") else max(0.0, most))

    def left(self, gang: Gang) -> float:
        """Seconds until the gang may rest; infinite where it has work."""
        return seconds_to_rest(gang, self._gangs, self._seconds)
