"""What a message costs the broker itself, without Ray, while so many slots' owners and gangs wait for theirs."""

import asyncio
import time

from tests.helpers.scale.costs import Points
from trainables.config import Assignment, EpochReport, TrialConfig
from trainables.workers.trial_broker import GangInfo, TrialBroker

EPOCHS = 40


def measure(sizes: tuple[int, ...]) -> Points:
    """CPU seconds a message, by slots."""
    return {size: asyncio.run(_one(size)) for size in sizes}


async def _one(slots: int) -> float:
    box = TrialBroker(slots)
    info = GangInfo(device="none", precision="fp32", threads=1)
    assignment = Assignment(trial="t", kind="search", config=TrialConfig(), seed=0, max_epochs=EPOCHS, folder="f")
    for slot in range(slots):
        await box.register(slot, info)
        await box.assign(slot, assignment)
        await box.next_assignment(slot, 0)
    owners = [asyncio.ensure_future(box.next_report(slot)) for slot in range(slots)]
    gangs = [asyncio.ensure_future(box.next_assignment(slot, box._slots[slot].sequence)) for slot in range(slots)]
    await asyncio.sleep(0.1 + slots / 1000)  # until they all wait
    started = time.process_time()
    for epoch in range(1, EPOCHS + 1):  # one slot's: a report in, the report out, the next one asked for
        await box.report(0, box._slots[0].sequence, EpochReport(trial="t", epoch=epoch))
        await owners[0]
        owners[0] = asyncio.ensure_future(box.next_report(0))
        await asyncio.sleep(0)
    seconds = (time.process_time() - started) / (2 * EPOCHS)
    await box.close()
    await asyncio.gather(*gangs)
    for waiting in owners:
        waiting.cancel()
    await asyncio.gather(*owners, return_exceptions=True)
    return seconds
