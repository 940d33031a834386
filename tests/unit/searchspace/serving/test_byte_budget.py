"""Who may hold bytes, and who waits."""

import asyncio
import random
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from searchspace.serving import byte_budget
from searchspace.serving.access import RequestError
from searchspace.serving.byte_budget import DecodeBudget, RequestBudget
from trainables.data.decoding.decode_cost import DecodeCost

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def holding(held: RequestBudget, peer: str, size: int) -> AsyncIterator[None]:
    await held.enter(peer, size)
    try:
        yield
    finally:
        held.leave(peer, size)


async def test_no_more_is_held_than_fits_and_all_have_their_turn_in_order():
    held, entered, now, most = RequestBudget(total=100, share=60), [], 0, 0

    async def take(name: int, peer: str, size: int) -> None:
        nonlocal now, most
        async with holding(held, peer, size):
            entered.append(name)
            now += size
            most = max(most, now)
            await asyncio.sleep(0.001)
            now -= size

    await asyncio.gather(*(take(number, "ab"[number % 2], 10 + number % 50) for number in range(200)))
    assert sorted(entered) == list(range(200))
    assert 60 < most <= 100
    assert not held.contended


async def test_of_one_peer_the_smallest_is_first_and_peers_keep_their_turns():
    held, entered = RequestBudget(total=100, share=100), []

    async def take(number: int, peer: str, size: int) -> None:
        await held.enter(peer, size)
        entered.append(number)
        await asyncio.sleep(0.001)
        held.leave(peer, size)

    await held.enter("a", 95)
    asked = [("a", 60), ("b", 70), ("a", 60), ("a", 50), ("a", 10)]
    waiting = [asyncio.create_task(take(number, *one)) for number, one in enumerate(asked)]
    await asyncio.sleep(0.01)
    assert not entered
    held.leave("a", 95)
    await asyncio.gather(*waiting)
    assert entered == [4, 1, 3, 0, 2]


async def test_one_peer_holds_no_more_than_its_share_and_keeps_no_other_waiting():
    held = RequestBudget(total=100, share=60)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(holding(held, "greedy", 60))
        waiting = asyncio.create_task(stack.enter_async_context(holding(held, "greedy", 1)))
        await asyncio.wait_for(stack.enter_async_context(holding(held, "other", 40)), 1)
        assert not waiting.done()
        assert held.contended
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert not held.contended
    async with holding(held, "greedy", 60):
        pass


async def test_who_waits_too_long_is_refused_and_holds_nothing(monkeypatch):
    monkeypatch.setattr(byte_budget, "BUDGET_TIMEOUT_S", 0.01)
    held = RequestBudget(total=100, share=100)
    async with holding(held, "a", 100):
        with pytest.raises(RequestError, match="try again later") as refused:
            async with holding(held, "b", 1):
                pass
    assert refused.value.status == 503
    async with holding(held, "c", 100):
        pass


@pytest.mark.parametrize("seed", range(3))
def test_decodes_take_no_more_memory_than_there_is_and_all_have_their_turn(seed):
    decodes, rng, lock = DecodeBudget(100), random.Random(seed), threading.Lock()
    costs = [DecodeCost(pixels=1, memory=rng.randint(1, 130), exclusive=rng.random() < 0.1) for _ in range(200)]
    now, most = [], 0

    def take(cost: DecodeCost) -> None:
        nonlocal most
        with decodes.hold(cost):
            with lock:
                now.append(cost)
                most = max(most, sum(min(100, one.memory) for one in now))
                assert len(now) == 1 or not any(one.exclusive for one in now)
            time.sleep(0.0005)
            with lock:
                now.remove(cost)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(take, costs))
    assert 50 < most <= 100


def test_who_fails_while_decoding_leaves_the_memory_to_the_next():
    decodes = DecodeBudget(100)
    for _ in range(3):
        with pytest.raises(ValueError, match="damaged"), decodes.hold(DecodeCost(1, 100)):
            raise ValueError("damaged")
