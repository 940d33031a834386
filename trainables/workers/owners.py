"""Owners of desks: trial actors, of which some die without giving their desks back."""

from collections.abc import Iterable

from trainables.ray_compat import is_dead
from trainables.workers.slot_state import Desk

PATIENCE = 0.1
"""Seconds that an owner has to show that it is alive; one that does not is busy."""


async def find_dead(desks: Iterable[Desk]) -> list[Desk]:
    """The desks whose owner has died."""
    return [desk for desk in list(desks) if desk.owner is not None and await is_dead(desk.owner, PATIENCE)]
