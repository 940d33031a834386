"""The trial broker: one async actor that hands trials to gangs, and their reports to the trials' owners."""

import asyncio
from contextlib import suppress
from typing import Any

from trainables.config import Assignment, Decision, EpochReport
from trainables.ray_compat import is_dead
from trainables.workers.keyed_condition import IdleGangs, KeyedCondition
from trainables.workers.slot_errors import Fault
from trainables.workers.slot_health import SlotHealth
from trainables.workers.slot_state import GangInfo, SlotState, match_trials

OWNER_CHECK_S = 2.0
"""Seconds that a claim waits for a free slot before the owners of the slots are checked for life."""

ANSWER_TIMEOUT_S = 0.1
"""Seconds in which an owner shows that it is alive; one that does not answer is busy."""
FREE_SLOT, MESSAGES, END = "free slot", "messages", "end"
"""What is waited for that is no slot and no gang."""


class TrialBroker:
    """Slots and gangs of one search. An owner (a trial actor, the finals) claims a slot and assigns it a trial.

    A trial whose slot has no gang, because the gang waits for a node or has lost one, goes to the next idle gang; the
    owner of the slot need not know.
    """

    def __init__(self, slots: int, rest: float = float("inf")) -> None:
        """Set up `slots` slots; a gang that has been idle for `rest` seconds is stopped, except the last one."""
        self._slots = [SlotState(slot=slot) for slot in range(slots)]
        self._gangs = [state.gang for state in self._slots]
        self._sequence = 0
        self._condition = KeyedCondition()
        self._idle_gangs = IdleGangs(self._condition, self._gangs, rest)
        self._closed = False
        self._health = SlotHealth(self._gangs)

    # Called by owners of slots.

    async def claim(self, preferred: int = 0, owner: Any = None) -> int:
        """Wait for a free slot, the preferred one if possible, and return its number.

        A slot whose `owner`, an actor, has died is free again.
        """
        async with self._condition:
            while not (free := [slot for slot, state in enumerate(self._slots) if state.is_free]):
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._condition.wait(FREE_SLOT), OWNER_CHECK_S)
                    continue
                for state in self._slots:
                    if state.owner is not None and await is_dead(state.owner, ANSWER_TIMEOUT_S):
                        self._free(state, abandon=True)
            slot = preferred if preferred in free else free[0]
            self._slots[slot].claim(owner)
            return slot

    def _free(self, state: SlotState, abandon: bool = False) -> None:
        self._assign(state, None, abandon)
        state.is_free, state.owner = True, None
        self._match()
        self._condition.notify(FREE_SLOT, state, state.gang)

    async def release(self, slot: int, abandon: bool = False) -> None:
        """Free a slot; a trial that its gang trains is stopped after its epoch, or within it if it is abandoned."""
        async with self._condition:
            self._free(self._slots[slot], abandon)

    async def assign(self, slot: int, assignment: Assignment) -> None:
        """Assign a trial to a slot in place of the one before; a trial that waits longer may get the gang."""
        async with self._condition:
            for given in (None, assignment):
                self._assign(self._slots[slot], given)
                self._match()
            self._condition.notify(self._slots[slot].gang)

    async def next_report(self, slot: int) -> EpochReport:
        """Wait for the next report of the slot's trial; raises `LookupError` once the caller has the slot no more.

        Where no slot can train any more, no report comes: the trial has not failed, and can be resumed.
        """
        state = self._slots[slot]
        mine = state.claims
        async with self._condition:
            await self._condition.wait_for(state, lambda: state.is_lost_to(mine) or state.reports)
            return state.take_report(mine)

    async def decide(self, trial: str, epoch: int, decision: Decision, abandon: bool = False) -> None:
        """How it goes on after its report of `epoch`, if that is the last one delivered; its end is as `release`."""
        async with self._condition:
            for state in self._slots:
                if state.is_undecided(trial, epoch):
                    if decision is Decision.CONTINUE:
                        state.granted_epochs = epoch
                    else:
                        self._assign(state, None, abandon)
                    self._condition.notify(state.gang)
            self._match()

    # Called by the pool of gangs.

    async def ping(self) -> bool:
        """Answer."""
        return True

    async def is_training(self) -> bool:
        """Whether any trial is with workers or has an unread report; if not, all assigned trials wait for resources."""
        return any(state.reports or (state.assignment and state.gang.is_up) for state in self._slots)

    async def wait_until_warm(self, slot: int) -> GangInfo | None:
        """Wait until the gang of `slot` has registered; None if it is retired, or the search ends first."""
        gang = self._gangs[slot]
        async with self._condition:
            await self._condition.wait_for(gang, lambda: gang.info or gang.retired or self._closed)
            return gang.info

    async def known_gangs(self) -> list[GangInfo]:
        """What the gangs that have registered said of themselves."""
        return [gang.info for gang in self._gangs if gang.info]

    async def wait_until_needed(self, slot: int) -> bool:
        """Wait until the gang of `slot` is to be started; False if it is never to be started again."""
        gang = self._gangs[slot]
        async with self._condition:
            await self._condition.wait_for(gang, lambda: gang.is_needed or gang.retired or self._closed)
            gang.taken_sequence = 0
            return not (gang.retired or self._closed)

    async def wait_until_unneeded(self, slot: int) -> bool:
        """Wait until the gang of `slot` is not needed; True if it has no workers, and its controller must end."""
        gang = self._gangs[slot]
        async with self._condition:
            while gang.is_needed and not (gang.retired or self._closed):
                if gang.is_up or self._idle_gangs.seconds_left(gang) > 0:
                    left = float("inf") if gang.is_up else self._idle_gangs.seconds_left(gang)
                    await self._idle_gangs.wait(gang, left)
                else:
                    gang.is_needed = False
            return not gang.is_up and gang.taken_sequence == 0

    async def mark_lost(self, slot: int) -> None:
        """Record that the workers of the gang of `slot` are gone; it may get others."""
        async with self._condition:
            self._health.record_loss(self._gangs[slot])
            self._match()
            self._condition.notify()

    async def wait_for_messages(self, heard: int) -> tuple[list[str], str] | None:
        """Wait for messages after the first `heard`; returns them and why no slot is left, if so; None at the end."""
        async with self._condition:
            await self._condition.wait_for(MESSAGES, lambda: self._closed or self._health.has_news(heard))
            return None if self._closed else (self._health.messages[heard:], self._health.no_slot_reason)

    async def close(self) -> None:
        """Stop every gang."""
        async with self._condition:
            self._closed = True
            self._condition.notify()

    async def retire(self, slot: int, reason: str) -> None:
        """Retire a slot: its gang is never started again."""
        async with self._condition:
            self._health.retire(self._gangs[slot], reason)
            self._health.record_loss(self._gangs[slot])
            self._match()
            self._condition.notify()

    # Called by workers.

    async def register(self, slot: int, info: GangInfo, place: str = "") -> int:
        """Register a new worker group, whose rank 0 is on the node and device `place`; returns its generation."""
        async with self._condition:
            gang = self._gangs[slot]
            self._health.record_loss(gang)
            gang.location, gang.info, gang.is_up, gang.taken_sequence = place, info, not gang.retired, 0
            gang.generation += 1
            self._match()
            self._condition.notify(gang, gang.state, MESSAGES)
            return gang.generation

    async def next_assignment(self, slot: int, after: int) -> tuple[int, Assignment] | None:
        """Wait, as rank 0, for an assignment newer than sequence `after`; None stops the gang."""
        gang = self._gangs[slot]

        def is_over() -> bool:
            return self._closed or bool(gang.retired)

        async with self._condition:
            if not await self._idle_gangs.wait_for_work(gang, lambda: is_over() or gang.has_work(after, self._gangs)):
                gang.is_needed = False
            if is_over() or not gang.is_needed or gang.state.assignment is None:
                gang.is_up, gang.taken_sequence = False, -1
                self._condition.notify()
                return None
            gang.taken_sequence, gang.taken_assignment = gang.state.sequence, gang.state.assignment
            self._condition.notify(gang)
            return gang.taken_sequence, gang.taken_assignment

    async def follow_assignment(self, slot: int, generation: int, after: int) -> tuple[int, Assignment] | None:
        """Wait, as another rank, for the assignment that rank 0 of the same group has taken after sequence `after`."""
        gang = self._gangs[slot]
        async with self._condition:
            await self._condition.wait_for(gang, lambda: gang.has_taken(generation, after))
            if gang.retired or gang.taken_sequence < 0 or gang.taken_assignment is None:
                return None
            return gang.taken_sequence, gang.taken_assignment

    async def hold_resources(self, slot: int) -> None:
        """Wait until the end of the search if the slot is retired: no other gang gets its resources."""
        async with self._condition:
            if self._gangs[slot].retired:
                await self._condition.wait_for(END, lambda: self._closed)

    async def report(self, slot: int, sequence: int, report: EpochReport, wait: bool = False) -> bool:
        """Take an epoch's report from rank 0; whether to train on, after the owner's decision if `wait`."""
        state = self._gangs[slot].state
        async with self._condition:
            if sequence == state.sequence and (report.epoch > state.reported_epoch or report.status == "failed"):
                state.reported_epoch = report.epoch
                state.reports.append(report)
                if report.status != "failed":
                    self._health.record_success(self._gangs[slot], report)
                if report.status != "running":
                    state.clear()
                self._condition.notify(state)
            if wait:
                await self._condition.wait_for(
                    self._gangs[slot],
                    lambda: self._closed or state.sequence != sequence or state.granted_epochs >= report.epoch,
                )
            return state.sequence == sequence and not self._closed

    async def wait_until_abandoned(self, slot: int, sequence: int) -> bool:
        """Wait until the assignment `sequence` is over for its owner; whether it is to end within its epoch."""
        gang = self._gangs[slot]
        async with self._condition:
            await self._condition.wait_for(gang, lambda: self._closed or gang.state.sequence != sequence)
            return gang.state.abandoned_sequence >= sequence

    async def mark_preempted(self, slot: int) -> None:
        """Record that a node of `slot` is about to go: the loss of its workers will be no error of their trial."""
        self._gangs[slot].is_end_expected = True

    async def report_fault(self, slot: int, sequence: int, fault: Fault) -> None:
        """Record an error that may be a node's or device's; of several workers' errors, the first counts."""
        gang = self._gangs[slot]
        async with self._condition:
            if self._health.record_fault(gang, sequence, fault):
                self._match()
                self._condition.notify()

    async def shrink_micro_batch(self, slot: int, sequence: int, micro_batch: int) -> None:
        """Resume with smaller micro-batches after a gang of several workers ran out of memory."""
        state = self._gangs[slot].state
        if sequence == state.sequence:
            state.shrink_micro_batch(micro_batch)

    def _assign(self, state: SlotState, assignment: Assignment | None, abandon: bool = False) -> None:
        state.assign(assignment, abandon)
        self._renumber(state)

    def _renumber(self, state: SlotState) -> None:
        self._sequence += 1
        state.sequence = self._sequence

    def _match(self) -> None:
        if match_trials(self._slots, self._renumber):
            self._condition.notify()
