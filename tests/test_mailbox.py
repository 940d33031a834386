"""The mailbox: order, going on, stopping, and worker groups that die."""

import asyncio

import pytest

from trainables.config import Assignment, EpochReport, TrialConfig
from trainables.mailbox import MAX_DEATHS, GangInfo, Mailbox

INFO = GangInfo(device="cpu", precision="fp32", threads=1)


def assignment(trial: str, rungs=()) -> Assignment:
    return Assignment(trial=trial, kind="search", config=TrialConfig(), seed=0, max_epochs=9, rungs=rungs, folder="/x")


def report(trial: str, epoch: int, status="running") -> EpochReport:
    return EpochReport(trial=trial, epoch=epoch, score=epoch / 10, status=status)


async def blocked(waiting) -> bool:
    done, _ = await asyncio.wait({waiting}, timeout=0.05)
    return not done


def run(scenario) -> None:
    asyncio.run(asyncio.wait_for(scenario(), 10))


async def at_a_rung(epoch: int):
    """A mailbox, its slot, the sequence of trial `a` there, and its gang's report, which waits at a rung at `epoch`."""
    box = Mailbox(1)
    slot = await box.claim()
    await box.enlist(slot, INFO)
    await box.assign(slot, assignment("a", rungs=(epoch,)))
    sequence, _ = await box.take(slot, 0)
    return box, slot, sequence, asyncio.ensure_future(box.report(slot, sequence, report("a", epoch), wait=True))


def test_reports_arrive_in_order_and_once():
    async def scenario():
        box = Mailbox(1)
        slot = await box.claim()
        await box.enlist(slot, INFO)
        await box.assign(slot, assignment("a"))
        sequence, taken = await box.take(slot, 0)
        assert taken.trial == "a"
        for epoch in (1, 2, 2, 1, 3):
            await box.report(slot, sequence, report("a", epoch))
        assert [(await box.next_report(slot)).epoch for _ in range(3)] == [1, 2, 3]
        assert await blocked(asyncio.ensure_future(box.next_report(slot)))

    run(scenario)


def test_a_rung_waits_for_the_owner_to_ask_for_more():
    async def scenario():
        box, slot, _sequence, waiting = await at_a_rung(2)
        assert (await box.next_report(slot)).epoch == 2
        assert await blocked(waiting), "delivered, but not yet decided on"
        asking = asyncio.ensure_future(box.next_report(slot))
        assert await waiting is True
        asking.cancel()

    run(scenario)


def test_a_stopped_trial_is_told_at_its_rung_and_its_late_word_is_void():
    async def scenario():
        box, slot, old, waiting = await at_a_rung(1)
        await box.next_report(slot)
        await box.assign(slot, assignment("b"))
        assert await waiting is False
        assert await box.report(slot, old, report("a", 5)) is False
        new, taken = await box.take(slot, old)
        assert taken.trial == "b"
        await box.report(slot, new, report("b", 1))
        assert (await box.next_report(slot)).trial == "b"

    run(scenario)


def test_other_ranks_follow_what_rank_0_took():
    async def scenario():
        box = Mailbox(1)
        slot = await box.claim()
        generation = await box.enlist(slot, INFO)
        await box.assign(slot, assignment("a"))
        following = asyncio.ensure_future(box.follow(slot, generation, 0))
        assert await blocked(following), "rank 0 has not taken it yet"
        taken = await box.take(slot, 0)
        assert await following == taken

    run(scenario)


def test_a_worker_group_that_died_gets_its_assignment_again_but_not_for_ever():
    async def scenario():
        box = Mailbox(1)
        slot = await box.claim()
        await box.enlist(slot, INFO)
        await box.assign(slot, assignment("a"))
        for death in range(MAX_DEATHS):
            _, taken = await box.take(slot, 0)
            assert taken.attempt == death
            await box.enlist(slot, INFO)
        await box.take(slot, 0)
        await box.enlist(slot, INFO)
        last = await box.next_report(slot)
        assert (last.trial, last.status) == ("a", "failed")
        assert "died 3 times" in last.reason
        assert await blocked(asyncio.ensure_future(box.take(slot, 0)))

    run(scenario)


def test_shrinking_is_progress_and_not_a_death():
    async def scenario():
        box = Mailbox(1)
        slot = await box.claim()
        await box.enlist(slot, INFO)
        await box.assign(slot, assignment("a"))
        for micro_batch in (64, 32, 16, 8, 4):
            sequence, _ = await box.take(slot, 0)
            await box.shrink(slot, sequence, micro_batch)
            await box.enlist(slot, INFO)
        _, taken = await box.take(slot, 0)
        assert (taken.micro_batch, taken.attempt) == (4, 0)

    run(scenario)


def test_slots_are_claimed_once_each_and_come_back():
    async def scenario():
        box = Mailbox(2)
        first, second = await box.claim(), await box.claim()
        assert {first, second} == {0, 1}
        waiting = asyncio.ensure_future(box.claim())
        assert await blocked(waiting)
        await box.release(first)
        assert await waiting == first

    run(scenario)


@pytest.mark.parametrize("rank", [0, 1])
def test_closing_sends_every_rank_home(rank):
    async def scenario():
        box = Mailbox(1)
        generation = await box.enlist(0, INFO)
        first = asyncio.ensure_future(box.take(0, 0))
        other = asyncio.ensure_future(box.follow(0, generation, 0))
        await asyncio.sleep(0)
        await box.close()
        assert await (first if rank == 0 else other) is None

    run(scenario)


def test_a_gang_that_is_gone_for_good_fails_its_trial_with_the_reason():
    async def scenario():
        box = Mailbox(1)
        slot = await box.claim()
        await box.assign(slot, assignment("a"))
        waiting = asyncio.ensure_future(box.next_report(slot))
        await box.give_up(slot, "no resources")
        assert (await waiting).reason == "no resources"
        assert await box.warm(0) is None

    run(scenario)


def test_a_broken_slot_takes_no_trial_while_another_is_whole():
    async def scenario():
        box = Mailbox(2)
        await box.give_up(0, "no such disk")
        slot = await box.claim()
        assert slot == 1
        assert await box.assign(0, assignment("a")) is False
        assert await box.assign(1, assignment("a")) is True
        waiting = asyncio.ensure_future(box.claim())
        assert await blocked(waiting), "the whole one is taken"
        await box.give_up(1, "no such disk")
        assert await waiting == 0, "all are broken: the next trial shall hear it at once"
        assert await box.assign(0, assignment("b")) is True
        assert (await box.next_report(0)).reason == "no such disk"

    run(scenario)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_broken_gang_goes_home(rank):
    async def scenario():
        box = Mailbox(1)
        generation = await box.enlist(0, INFO)
        waiting = asyncio.ensure_future(box.take(0, 0) if rank == 0 else box.follow(0, generation, 0))
        assert await blocked(waiting)
        await box.give_up(0, "its other worker could not start")
        assert await waiting is None

    run(scenario)


def test_a_claim_gets_the_slot_it_prefers_or_the_first_that_is_free():
    async def scenario():
        box = Mailbox(3)
        assert [await box.claim(1), await box.claim(1), await box.claim(7)] == [1, 0, 2]

    run(scenario)


def test_a_gang_whose_owner_died_while_it_waited_goes_home_all_the_same():
    async def scenario():
        box, slot, sequence, waiting = await at_a_rung(2)
        assert await blocked(waiting)  # and nobody will ever ask for more
        await box.close()
        assert await waiting is False
        assert await box.take(slot, sequence) is None

    run(scenario)
