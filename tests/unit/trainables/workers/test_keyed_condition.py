"""The condition: who waits is woken by what concerns him, and by nothing else."""

import asyncio
from contextlib import suppress

from trainables.workers.keyed_condition import KeyedCondition


def run(scenario) -> None:
    asyncio.run(asyncio.wait_for(scenario(), 10))


class Waiting:
    """Somebody who waits at a thing until `happened`, and counts how often he was woken."""

    def __init__(self, condition: KeyedCondition, thing: str) -> None:
        self.condition, self.thing, self.happened, self.looks = condition, thing, False, 0
        self.task = asyncio.ensure_future(self.wait())

    def look(self) -> bool:
        self.looks += 1
        return self.happened

    async def wait(self) -> None:
        async with self.condition:
            await self.condition.wait_for(self.thing, self.look)


async def notify(condition: KeyedCondition, *things: str) -> None:
    async with condition:
        condition.notify(*things)
    for _ in range(10):
        await asyncio.sleep(0)


def test_a_ring_wakes_those_whom_it_concerns_alone():
    async def scenario():
        condition = KeyedCondition()
        here, also_here, there = Waiting(condition, "here"), Waiting(condition, "here"), Waiting(condition, "there")
        await asyncio.sleep(0)
        await notify(condition, "here")
        assert (here.looks, also_here.looks, there.looks) == (2, 2, 1)
        here.happened = there.happened = True
        await notify(condition, "here")
        assert (here.task.done(), also_here.task.done(), there.task.done()) == (True, False, False)
        await notify(condition, "there", "nowhere")
        assert there.task.done()
        also_here.task.cancel()

    run(scenario)


def test_a_ring_without_a_thing_wakes_everybody():
    async def scenario():
        condition = KeyedCondition()
        waiting = [Waiting(condition, thing) for thing in ("here", "there")]
        await asyncio.sleep(0)
        for one in waiting:
            one.happened = True
        await notify(condition)
        assert all(one.task.done() for one in waiting)

    run(scenario)


def test_whoever_stops_waiting_leaves_the_lock_to_others():
    async def scenario():
        condition = KeyedCondition()
        async with condition:
            with suppress(TimeoutError):
                await asyncio.wait_for(condition.wait("here"), 0.01)
            inside = Waiting(condition, "here")
            await asyncio.sleep(0)
            assert inside.looks == 0, "the lock is held again"
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert inside.looks == 1
        inside.task.cancel()

    run(scenario)
