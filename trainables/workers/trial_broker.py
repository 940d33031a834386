"""The mailbox: one async actor between those who decide (trial actors, finals) and the gangs that train."""

import asyncio
from contextlib import suppress
from typing import Any

from trainables.config import Assignment, EpochReport
from trainables.workers.idle_gangs import Rest
from trainables.workers.keyed_condition import Bell
from trainables.workers.owners import find_dead
from trainables.workers.slot_errors import Fault
from trainables.workers.slot_health import SlotHealth
from trainables.workers.slot_state import Desk, GangInfo, match

OWNER_CHECK = 2.0
"""Seconds that whoever waits for a slot waits, before it is asked whether their owners are alive."""


class Mailbox:
    """Desks and gangs by slot. Owners wait at their desk, workers and those who keep them up at their gang.

    A trial that lies at a desk whose gang is not there, because it waits for a node or lost one, goes to the next gang
    that has nothing to do; the owner of the desk does not notice.
    """

    def __init__(self, slots: int, rest: float = float("inf")) -> None:
        """Set up one desk and gang a slot; a gang without work for `rest` seconds goes home, but the last one."""
        self._desks = [Desk(slot=slot) for slot in range(slots)]
        self._gangs = [desk.gang for desk in self._desks]
        self._sequence = 0
        self._bell = Bell()
        self._rest = Rest(self._bell, self._gangs, rest)
        self._closed = False
        self._health = SlotHealth(self._gangs)

    # What owners of a desk call.

    async def claim(self, preferred: int = 0, owner: Any = None) -> int:
        """Wait for a free desk and take it, the preferred one if it is free.

        A desk whose `owner`, an actor, has died is free again.
        """
        async with self._bell:
            while not (free := [slot for slot, desk in enumerate(self._desks) if desk.free]):
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._bell.wait("a free desk"), OWNER_CHECK)
                    continue
                for desk in await find_dead(self._desks):
                    self._vacate(desk)
            slot = preferred if preferred in free else free[0]
            self._desks[slot].free, self._desks[slot].owner = False, owner
            return slot

    def _vacate(self, desk: Desk) -> None:
        self._put(desk, None)
        desk.free, desk.owner = True, None
        self._match()
        self._bell.ring("a free desk", desk.gang)

    async def release(self, slot: int) -> None:
        """Give a desk back; whatever its gang is training is stopped."""
        async with self._bell:
            self._vacate(self._desks[slot])

    async def assign(self, slot: int, assignment: Assignment) -> None:
        """Lay a trial on the desk, stopping what was trained there; where one waits longer, its gang goes there."""
        async with self._bell:
            for given in (None, assignment):
                self._put(self._desks[slot], given)
                self._match()
            self._bell.ring(self._desks[slot].gang)

    async def next_report(self, slot: int) -> EpochReport:
        """Next report of the desk's trial; asking for it is the word to go on after the report before.

        Where no slot can train any more, no report comes: the trial is not at fault, and can be resumed.
        """
        desk = self._desks[slot]
        async with self._bell:
            desk.granted = desk.delivered
            self._bell.ring(desk.gang)
            await self._bell.wait_for(desk, lambda: desk.reports)
            report = desk.reports.popleft()
            desk.delivered = report.epoch
            return report

    async def let_go(self, trial: str, epoch: int) -> None:
        """A trial whose report of `epoch` was the last word asked for: its gang is free, whatever its owner does."""
        async with self._bell:
            for desk in self._desks:
                if desk.assignment and desk.assignment.trial == trial and desk.granted < epoch == desk.delivered:
                    self._put(desk, None)
                    self._bell.ring(desk.gang)
            self._match()

    # What the pool calls, which keeps the gangs up.

    async def ping(self) -> bool:
        """Say that the mailbox is there."""
        return True

    async def is_training(self) -> bool:
        """Whether any trial is with workers, or has a report to give; if not, all that are there wait for room."""
        return any(desk.reports or (desk.assignment and desk.gang.whole) for desk in self._desks)

    async def warm(self, slot: int) -> GangInfo | None:
        """Wait until the gang of `slot` has said what it is; None if it is gone for good, or sent home."""
        gang = self._gangs[slot]
        async with self._bell:
            await self._bell.wait_for(gang, lambda: gang.info or gang.broken or self._closed)
            return gang.info

    async def known(self) -> list[GangInfo]:
        """What all gangs that were ever up said of themselves."""
        return [gang.info for gang in self._gangs if gang.info]

    async def called(self, slot: int) -> bool:
        """Wait until the gang of `slot` is to be up; False if it is not to be any more."""
        gang = self._gangs[slot]
        async with self._bell:
            await self._bell.wait_for(gang, lambda: gang.called or gang.broken or self._closed)
            gang.taken = 0
            return not (gang.broken or self._closed)

    async def dropped(self, slot: int) -> bool:
        """Wait until the gang of `slot` is not to be up any more; whether it has no workers, who would be told."""
        gang = self._gangs[slot]
        async with self._bell:
            while gang.called and not (gang.broken or self._closed):
                if gang.whole or self._rest.left(gang) > 0:
                    await self._rest.wait(gang, float("inf") if gang.whole else self._rest.left(gang))
                else:
                    gang.called = False
            return not gang.whole and gang.taken == 0

    async def lost(self, slot: int) -> None:
        """The workers of the gang of `slot` are no more; it may get others."""
        async with self._bell:
            self._health.lose(self._gangs[slot])
            self._match()
            self._bell.ring()

    async def news(self, heard: int) -> tuple[list[str], str] | None:
        """Wait for lines on errors after the first `heard` of them; and why no slot is left, if so. None at the end."""
        async with self._bell:
            health = self._health
            await self._bell.wait_for("news", lambda: self._closed or len(health.news) > heard or health.nobody_left)
            return None if self._closed else (health.news[heard:], health.nobody_left)

    async def close(self) -> None:
        """Send every gang home."""
        async with self._bell:
            self._closed = True
            self._bell.ring()

    async def give_up(self, slot: int, reason: str) -> None:
        """The gang of `slot` will not come back."""
        async with self._bell:
            self._health.end(self._gangs[slot], reason)
            self._health.lose(self._gangs[slot])
            self._match()
            self._bell.ring()

    # What workers call.

    async def enlist(self, slot: int, info: GangInfo, place: str = "") -> int:
        """Rank 0 of a new worker group, on the node and device `place`, reports for duty; returns its generation."""
        async with self._bell:
            gang = self._gangs[slot]
            self._health.lose(gang)
            gang.place, gang.info, gang.whole, gang.taken = place, info, not gang.broken, 0
            gang.generation += 1
            self._match()
            self._bell.ring(gang, gang.desk, "news")
            return gang.generation

    async def take(self, slot: int, after: int) -> tuple[int, Assignment] | None:
        """Rank 0 waits for an assignment newer than sequence `after`; None sends the gang home."""
        gang = self._gangs[slot]

        def is_over() -> bool:
            return self._closed or bool(gang.broken)

        async with self._bell:
            if not await self._rest.busy(gang, lambda: is_over() or gang.has_work(after, self._gangs)):
                gang.called = False
            if is_over() or not gang.called or gang.desk.assignment is None:
                gang.whole, gang.taken = False, -1
                self._bell.ring()
                return None
            gang.taken, gang.took = gang.desk.sequence, gang.desk.assignment
            self._bell.ring(gang)
            return gang.taken, gang.took

    async def follow(self, slot: int, generation: int, after: int) -> tuple[int, Assignment] | None:
        """Another rank waits for what its group's rank 0 took after sequence `after`."""
        gang = self._gangs[slot]
        async with self._bell:
            await self._bell.wait_for(
                gang, lambda: gang.broken or (gang.generation == generation and (gang.taken > after or gang.taken < 0))
            )
            if gang.broken or gang.taken < 0 or gang.took is None:
                return None
            return gang.taken, gang.took

    async def hold(self, slot: int) -> None:
        """Wait until the end, if the slot is at its own: its place stays taken, so that no other gang gets it."""
        async with self._bell:
            if self._gangs[slot].broken:
                await self._bell.wait_for("the end", lambda: self._closed)

    async def report(self, slot: int, sequence: int, report: EpochReport, wait: bool = False) -> bool:
        """Rank 0 tells an epoch's report; whether its assignment still stands, after `wait`ing for the owner's word."""
        desk = self._gangs[slot].desk
        async with self._bell:
            if sequence == desk.sequence and (report.epoch > desk.reported or report.status == "failed"):
                desk.reported = report.epoch
                desk.reports.append(report)
                if report.status != "failed":
                    self._health.count_success(self._gangs[slot], report)
                if report.status != "running":
                    desk.clear()
                self._bell.ring(desk)
            if wait:
                await self._bell.wait_for(
                    self._gangs[slot], lambda: self._closed or desk.sequence != sequence or desk.granted >= report.epoch
                )
            return desk.sequence == sequence and not self._closed

    async def excuse(self, slot: int) -> None:
        """The workers of `slot` are about to be taken away: that they die is not their assignment's doing."""
        self._gangs[slot].excused = True

    async def fault(self, slot: int, sequence: int, fault: Fault) -> None:
        """A worker met an error that may be its place's, and ends with it; the first word on it counts."""
        gang = self._gangs[slot]
        async with self._bell:
            if self._health.fault(gang, sequence, fault):
                self._match()
                self._bell.ring()

    async def shrink(self, slot: int, sequence: int, micro_batch: int) -> None:
        """After an out-of-memory of a gang of several workers: the next group takes smaller micro-batches."""
        desk = self._gangs[slot].desk
        if sequence == desk.sequence:
            desk.shrink(micro_batch)

    def _put(self, desk: Desk, assignment: Assignment | None) -> None:
        desk.lay(assignment)
        self._renumber(desk)

    def _renumber(self, desk: Desk) -> None:
        self._sequence += 1
        desk.sequence = self._sequence

    def _match(self) -> None:
        if match(self._desks, self._renumber):
            self._bell.ring()
