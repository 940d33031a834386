"""Gangs without training: one async process that plays them all, by the broker's own protocol."""

import asyncio
import time
from collections import deque
from typing import Any

import numpy as np

from trainables.config import Assignment, EpochReport
from trainables.workers.trial_broker import GangInfo


class StandIn:
    """Any number of gangs whose epochs are naps, and whose scores are drawn."""

    def __init__(self, seed: int, together: int) -> None:
        """Train once `together` gangs have their first trial."""
        self._random, self._together, self._here = np.random.default_rng(seed), together, asyncio.Event()
        self.decisions: list[float] = []

    async def work(self, broker: Any, slot: int, nap: float) -> None:
        """Serve `slot` until the broker sends it home; an epoch takes `nap` seconds."""
        await broker.register.remote(slot, GangInfo(device="none", precision="fp32", threads=1))
        sequence = 0
        while (found := await broker.next_assignment.remote(slot, sequence)) is not None:
            sequence, assignment = found
            await self._meet()
            await self._train(broker, slot, sequence, assignment, nap)

    async def _meet(self) -> None:
        self._together -= 1
        if self._together <= 0:
            self._here.set()
        await self._here.wait()

    async def _train(self, broker: Any, slot: int, sequence: int, assignment: Assignment, nap: float) -> None:
        answers: deque[Any] = deque()
        for epoch in range(assignment.known + 1, assignment.max_epochs + 1):
            await asyncio.sleep(nap)
            waits, told = epoch in assignment.rungs, time.perf_counter()
            report = EpochReport(
                trial=assignment.trial, epoch=epoch, score=float(self._random.random()), slot=slot,
                status="complete" if epoch == assignment.max_epochs else "running",
            )  # fmt: skip
            answers.append(broker.report.remote(slot, sequence, report, waits))
            while len(answers) > (0 if waits else 1):  # as a worker does it: the answer to the one before is there
                if not await answers.popleft():
                    return
            if waits:
                self.decisions.append(time.perf_counter() - told)

    async def waited(self) -> list[float]:
        """Seconds from each report at a rung to the word to go on, where it came."""
        return self.decisions
