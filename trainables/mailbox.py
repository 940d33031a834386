"""The mailbox: one async actor between those who decide (trial actors, finals) and the gangs that train."""

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from ray.exceptions import RayActorError

from trainables.config import Assignment, EpochReport, Frozen, failure

MAX_DEATHS = 2
"""Worker groups that one epoch of an assignment may outlive; the next one to die takes the trial with it."""

OWNER_CHECK = 2.0
"""Seconds that whoever waits for a slot waits, before it is asked whether their owners are alive."""


class GangInfo(Frozen):
    """What a gang's rank 0 says of itself when it is ready."""

    device: str
    """`cpu`, or the GPU's name."""
    precision: str
    """`bf16` or `fp32`."""
    threads: int
    """Threads of each worker."""


@dataclass
class Desk:
    """What lies between one slot's owner and its gang."""

    free: bool = True
    info: GangInfo | None = None
    assignment: Assignment | None = None
    sequence: int = 0
    """Counts assignments; a worker's word on an older one is void."""
    generation: int = 0
    """Counts worker groups of this slot's gang."""
    taken: int = 0
    """Newest sequence that the present worker group's rank 0 took up."""
    granted: int = 0
    """Epochs of the present assignment whose reports its owner has seen and followed by asking for more."""
    delivered: int = 0
    """Epoch of the report last handed to the owner."""
    reported: int = -1
    """Epoch of the newest report; older ones, from a resumed trial, are not told twice."""
    reports: deque[EpochReport] = field(default_factory=deque)
    broken: str = ""
    """Why this slot's gang is gone for good."""
    excused: bool = False
    """Whether the present worker group's end is known to come, from outside."""
    owner: Any = None
    """The trial actor that holds the slot, if one does."""


class Mailbox:
    """Desks by slot. Every wait is on one condition, so any change wakes whoever may care."""

    def __init__(self, slots: int) -> None:
        """Set up one desk a slot."""
        self._desks = {slot: Desk() for slot in range(slots)}
        self._changed = asyncio.Condition()
        self._closed = False

    # What owners of a slot call.

    async def claim(self, preferred: int = 0, owner: Any = None) -> int:
        """Wait for a free slot and take it, the preferred one if it is free; a broken one only when all are.

        A slot whose `owner`, an actor, has died is free again.
        """

        def usable() -> list[int]:
            whole = {slot: desk for slot, desk in self._desks.items() if not desk.broken} or self._desks
            return [slot for slot, desk in whole.items() if desk.free]

        async with self._changed:
            while not usable():
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), OWNER_CHECK)
                    continue
                await self._free_the_dead()
            slot = preferred if preferred in usable() else usable()[0]
            self._desks[slot].free, self._desks[slot].owner = False, owner
            return slot

    async def _free_the_dead(self) -> None:
        for desk in self._desks.values():
            if desk.owner is None:
                continue
            try:
                await asyncio.wait_for(asyncio.wrap_future(desk.owner.__ray_ready__.remote().future()), 0.1)
            except RayActorError:
                self._put(desk, None)
                desk.free, desk.owner = True, None
            except TimeoutError:
                pass  # alive, and busy

    async def release(self, slot: int) -> None:
        """Give a slot back; whatever its gang is training is stopped."""
        async with self._changed:
            self._put(self._desks[slot], None)
            self._desks[slot].free, self._desks[slot].owner = True, None
            self._changed.notify_all()

    async def assign(self, slot: int, assignment: Assignment) -> bool:
        """Hand the gang of `slot` a trial, stopping what it was training; False where another slot's gang is needed."""
        async with self._changed:
            if self._desks[slot].broken and not all(desk.broken for desk in self._desks.values()):
                return False
            self._put(self._desks[slot], assignment)
            self._changed.notify_all()
            return True

    async def next_report(self, slot: int) -> EpochReport:
        """Next report of the slot's trial; asking for it is the word to go on after the report before."""
        desk = self._desks[slot]
        async with self._changed:
            desk.granted = desk.delivered
            self._changed.notify_all()
            await self._changed.wait_for(lambda: desk.reports or desk.broken)
            if not desk.reports:
                return failure(desk.assignment.trial if desk.assignment else "", desk.broken)
            report = desk.reports.popleft()
            desk.delivered = report.epoch
            return report

    async def ping(self) -> bool:
        """Say that the mailbox is there."""
        return True

    async def warm(self, slot: int) -> GangInfo | None:
        """Wait until the gang of `slot` has said what it is; None if it is gone for good, or sent home."""
        desk = self._desks[slot]
        async with self._changed:
            await self._changed.wait_for(lambda: desk.info or desk.broken or self._closed)
            return desk.info

    async def close(self) -> None:
        """Send every gang home."""
        async with self._changed:
            self._closed = True
            self._changed.notify_all()

    async def give_up(self, slot: int, reason: str) -> None:
        """The gang of `slot` will not come back."""
        async with self._changed:
            self._desks[slot].broken = reason
            self._changed.notify_all()

    # What workers call.

    async def enlist(self, slot: int, info: GangInfo) -> int:
        """Rank 0 of a new worker group reports for duty; returns the group's generation."""
        async with self._changed:
            desk = self._desks[slot]
            desk.info, desk.taken = info, 0
            desk.generation += 1
            if desk.assignment is not None and desk.generation > 1:
                self._begin_again(desk, desk.assignment)
            self._changed.notify_all()
            return desk.generation

    async def take(self, slot: int, after: int) -> tuple[int, Assignment] | None:
        """Rank 0 waits for an assignment newer than sequence `after`; None sends the gang home."""
        desk = self._desks[slot]
        async with self._changed:
            await self._changed.wait_for(
                lambda: self._closed or desk.broken or (desk.assignment is not None and desk.sequence > after)
            )
            if self._closed or desk.broken or desk.assignment is None:
                desk.taken = -1
                self._changed.notify_all()
                return None
            desk.taken = desk.sequence
            self._changed.notify_all()
            return desk.sequence, desk.assignment

    async def follow(self, slot: int, generation: int, after: int) -> tuple[int, Assignment] | None:
        """Another rank waits for what its group's rank 0 took after sequence `after`."""
        desk = self._desks[slot]
        async with self._changed:
            await self._changed.wait_for(
                lambda: desk.broken or (desk.generation == generation and (desk.taken > after or desk.taken < 0))
            )
            if desk.broken or desk.taken < 0 or desk.assignment is None:
                return None
            return desk.taken, desk.assignment

    async def report(self, slot: int, sequence: int, report: EpochReport, wait: bool = False) -> bool:
        """Rank 0 tells an epoch's report; whether its assignment still stands, after `wait`ing for the owner's word."""
        desk = self._desks[slot]
        async with self._changed:
            if sequence == desk.sequence and (report.epoch > desk.reported or report.status == "failed"):
                desk.reported = report.epoch
                desk.reports.append(report)
                if desk.assignment is not None and desk.assignment.attempt:  # it got further than the one that died
                    desk.assignment = desk.assignment.model_copy(update={"attempt": 0})
                if report.status != "running":
                    desk.assignment = None
                self._changed.notify_all()
            if wait:
                await self._changed.wait_for(
                    lambda: self._closed or desk.sequence != sequence or desk.granted >= report.epoch
                )
            return desk.sequence == sequence and not self._closed

    async def excuse(self, slot: int) -> None:
        """The workers of `slot` are about to be taken away: that they die is not their assignment's doing."""
        self._desks[slot].excused = True

    async def shrink(self, slot: int, sequence: int, micro_batch: int) -> None:
        """After an out-of-memory of a gang of several workers: the next group takes smaller micro-batches."""
        desk = self._desks[slot]
        if sequence == desk.sequence and desk.assignment is not None:
            # A smaller batch is progress, not one more death; the next enlisting counts it as one.
            smaller = {"micro_batch": micro_batch, "attempt": desk.assignment.attempt - 1}
            desk.assignment = desk.assignment.model_copy(update=smaller)

    def _put(self, desk: Desk, assignment: Assignment | None) -> None:
        desk.assignment = assignment
        desk.sequence += 1
        desk.granted = desk.delivered = 0
        desk.reported = -1
        desk.reports.clear()

    def _begin_again(self, desk: Desk, assignment: Assignment) -> None:
        if desk.excused:
            desk.excused = False
        elif assignment.attempt >= MAX_DEATHS:
            deaths = assignment.attempt + 1
            desk.reports.append(failure(assignment.trial, f"its workers died {deaths} times", max(0, desk.reported)))
            desk.assignment = None
        else:
            desk.assignment = assignment.model_copy(update={"attempt": assignment.attempt + 1})
