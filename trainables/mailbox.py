"""The mailbox: one async actor between those who decide (trial actors, finals) and the gangs that train."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ray.exceptions import RayActorError

from trainables.bell import Bell
from trainables.config import Assignment, EpochReport, failure
from trainables.desk import Desk, Gang, GangInfo, match, seconds_to_rest

OWNER_CHECK = 2.0
"""Seconds that whoever waits for a slot waits, before it is asked whether their owners are alive."""


class Mailbox:
    """Desks and gangs by slot. Owners wait at their desk, workers and those who keep them up at their gang.

    A trial that lies at a desk whose gang is not there, because it waits for a node or lost one, goes to the next gang
    that has nothing to do; the owner of the desk does not notice.
    """

    def __init__(self, slots: int, rest: float = float("inf")) -> None:
        """Set up one desk and gang a slot; a gang without work for `rest` seconds goes home, but the last one."""
        self._desks = [Desk() for _ in range(slots)]
        self._gangs = [desk.gang for desk in self._desks]
        self._rest = rest
        self._sequence = 0
        self._bell = Bell()
        self._closed = False

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
                await self._free_the_dead()
            slot = preferred if preferred in free else free[0]
            self._desks[slot].free, self._desks[slot].owner = False, owner
            return slot

    async def _free_the_dead(self) -> None:
        for desk in [desk for desk in self._desks if desk.owner is not None]:
            try:
                await asyncio.wait_for(asyncio.wrap_future(desk.owner.__ray_ready__.remote().future()), 0.1)
            except RayActorError:
                self._vacate(desk)
            except TimeoutError:
                pass  # alive, and busy

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
        """Next report of the desk's trial; asking for it is the word to go on after the report before."""
        desk = self._desks[slot]
        async with self._bell:
            desk.granted = desk.delivered
            self._bell.ring(desk.gang)
            await self._bell.wait_for(desk, lambda: desk.reports or all(gang.broken for gang in self._gangs))
            if not desk.reports:
                return failure(desk.assignment.trial if desk.assignment else "", desk.gang.broken)
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
                if gang.whole or self._rest_in(gang) > 0:
                    await self._patiently(gang, float("inf") if gang.whole else self._rest_in(gang))
                else:
                    gang.called = False
            return not gang.whole and gang.taken == 0

    async def lost(self, slot: int) -> None:
        """The workers of the gang of `slot` are no more; it may get others."""
        async with self._bell:
            self._gangs[slot].lose()
            self._match()
            self._bell.ring()

    async def close(self) -> None:
        """Send every gang home."""
        async with self._bell:
            self._closed = True
            self._bell.ring()

    async def give_up(self, slot: int, reason: str) -> None:
        """The gang of `slot` will not come back."""
        async with self._bell:
            self._gangs[slot].broken = reason
            self._gangs[slot].lose()
            self._match()
            self._bell.ring()

    # What workers call.

    async def enlist(self, slot: int, info: GangInfo) -> int:
        """Rank 0 of a new worker group reports for duty; returns the group's generation."""
        async with self._bell:
            gang = self._gangs[slot]
            gang.lose()
            gang.info, gang.whole, gang.taken = info, not gang.broken, 0
            gang.generation += 1
            self._match()
            self._bell.ring(gang, gang.desk)
            return gang.generation

    async def take(self, slot: int, after: int) -> tuple[int, Assignment] | None:
        """Rank 0 waits for an assignment newer than sequence `after`; None sends the gang home."""
        gang = self._gangs[slot]

        def is_over() -> bool:
            return self._closed or bool(gang.broken)

        async with self._bell:
            if not await self._busy(gang, lambda: is_over() or (gang.desk.assignment and gang.desk.sequence > after)):
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

    async def report(self, slot: int, sequence: int, report: EpochReport, wait: bool = False) -> bool:
        """Rank 0 tells an epoch's report; whether its assignment still stands, after `wait`ing for the owner's word."""
        desk = self._gangs[slot].desk
        async with self._bell:
            if sequence == desk.sequence and (report.epoch > desk.reported or report.status == "failed"):
                desk.reported = report.epoch
                desk.reports.append(report)
                if desk.assignment is not None and desk.assignment.attempt:  # it got further than the one that died
                    desk.assignment = desk.assignment.model_copy(update={"attempt": 0})
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

    async def _busy(self, gang: Gang, happens: Callable[[], Any]) -> bool:
        """Wait until something `happens`; False once the gang has had nothing to do for so long that it may rest."""
        while not happens():
            if self._rest_in(gang) <= 0:
                return False
            await self._patiently(gang, self._rest_in(gang))
        return True

    async def _patiently(self, gang: Gang, seconds: float) -> None:
        """Wait for a change that concerns a gang, at most so long; one that is up alone looks again at times."""
        limit = min(max(0.0, seconds), self._rest)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._bell.wait(gang), None if limit == float("inf") else limit)

    def _rest_in(self, gang: Gang) -> float:
        return seconds_to_rest(gang, self._gangs, self._rest)
