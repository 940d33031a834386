"""Owners of desks: trial actors, of which some die without giving their desks back."""

import asyncio
from collections.abc import Iterable

from ray.exceptions import RayActorError

from trainables.workers.slot_state import Desk

PATIENCE = 0.1
"""Seconds that an owner has to show that it is alive; one that does not is busy."""


async def find_dead(desks: Iterable[Desk]) -> list[Desk]:
    """The desks whose owner has died."""
    return [desk for desk in list(desks) if desk.owner is not None and await _is_dead(desk)]


async def _is_dead(desk: Desk) -> bool:
    try:
        await asyncio.wait_for(asyncio.wrap_future(desk.owner.__ray_ready__.remote().future()), PATIENCE)
    except RayActorError:
        return True
    except TimeoutError:
        return False
    return False
