"""The broker: order, going on, stopping, and worker groups that die."""

import asyncio
import random

import pytest

from trainables.config import Assignment, Decision, EpochReport, TrialConfig
from trainables.workers.slot_errors import MOST_GANGS, RETIRE_AFTER, ErrorKind, Fault
from trainables.workers.slot_state import GangInfo
from trainables.workers.trial_broker import TrialBroker

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
    """A broker, its slot, the sequence of trial `a` there, and its gang's report, which waits at a rung at `epoch`."""
    box = TrialBroker(1)
    slot = await box.claim()
    await box.register(slot, INFO)
    await box.assign(slot, assignment("a", rungs=(epoch,)))
    sequence, _ = await box.next_assignment(slot, 0)
    return box, slot, sequence, asyncio.ensure_future(box.report(slot, sequence, report("a", epoch), wait=True))


def test_reports_arrive_in_order_and_once():
    async def scenario():
        box = TrialBroker(1)
        slot = await box.claim()
        await box.register(slot, INFO)
        await box.assign(slot, assignment("a"))
        sequence, taken = await box.next_assignment(slot, 0)
        assert taken.trial == "a"
        for epoch in (1, 2, 2, 1, 3):
            await box.report(slot, sequence, report("a", epoch))
        assert [(await box.next_report(slot)).epoch for _ in range(3)] == [1, 2, 3]
        assert await blocked(asyncio.ensure_future(box.next_report(slot)))

    run(scenario)


def test_a_gang_at_a_rung_waits_for_the_decision():
    async def scenario():
        box, slot, _sequence, waiting = await at_a_rung(2)
        await box.decide("a", 2, Decision.CONTINUE)
        assert await blocked(waiting), "a decision on a report that is not delivered is void"
        assert (await box.next_report(slot)).epoch == 2
        asking = asyncio.ensure_future(box.next_report(slot))
        assert await blocked(waiting), "to ask for the next report decides nothing"
        await box.decide("a", 2, Decision.CONTINUE)
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
        new, taken = await box.next_assignment(slot, old)
        assert taken.trial == "b"
        await box.report(slot, new, report("b", 1))
        assert (await box.next_report(slot)).trial == "b"

    run(scenario)


def test_other_ranks_follow_what_rank_0_took():
    async def scenario():
        box = TrialBroker(1)
        slot = await box.claim()
        generation = await box.register(slot, INFO)
        await box.assign(slot, assignment("a"))
        following = asyncio.ensure_future(box.follow_assignment(slot, generation, 0))
        assert await blocked(following), "rank 0 has not taken it yet"
        taken = await box.next_assignment(slot, 0)
        assert await following == taken

    run(scenario)


def test_a_worker_group_that_died_gets_its_assignment_again_but_not_for_ever():
    async def scenario():
        box = TrialBroker(1)
        slot = await box.claim()
        await box.register(slot, INFO)
        await box.assign(slot, assignment("a"))
        for death in range(MOST_GANGS - 1):
            _, taken = await box.next_assignment(slot, 0)
            assert taken.attempt == death
            await box.register(slot, INFO)
        await box.next_assignment(slot, 0)
        await box.register(slot, INFO)
        last = await box.next_report(slot)
        assert (last.trial, last.status) == ("a", "failed")
        assert "died 3 times" in last.reason
        assert await blocked(asyncio.ensure_future(box.next_assignment(slot, 0)))

    run(scenario)


def test_an_owner_who_waits_hears_that_its_trial_is_over_as_its_workers_died_too_often():
    async def scenario():
        box = TrialBroker(2)
        slot = await box.claim()
        await box.register(slot, INFO)
        await box.assign(slot, assignment("a"))
        waiting = asyncio.ensure_future(box.next_report(slot))
        for _ in range(MOST_GANGS):
            await box.next_assignment(slot, 0)
            assert await blocked(waiting)
            await box.register(slot, INFO)
        assert "died 3 times" in (await waiting).reason

    run(scenario)


def test_shrinking_is_progress_and_not_a_death():
    async def scenario():
        box = TrialBroker(1)
        slot = await box.claim()
        await box.register(slot, INFO)
        await box.assign(slot, assignment("a"))
        for micro_batch in (64, 32, 16, 8, 4):
            sequence, _ = await box.next_assignment(slot, 0)
            await box.shrink_micro_batch(slot, sequence, micro_batch)
            await box.register(slot, INFO)
        _, taken = await box.next_assignment(slot, 0)
        assert (taken.micro_batch, taken.attempt) == (4, 0)

    run(scenario)


def test_slots_are_claimed_once_each_and_come_back():
    async def scenario():
        box = TrialBroker(2)
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
        box = TrialBroker(1)
        generation = await box.register(0, INFO)
        first = asyncio.ensure_future(box.next_assignment(0, 0))
        other = asyncio.ensure_future(box.follow_assignment(0, generation, 0))
        await asyncio.sleep(0)
        await box.close()
        assert await (first if rank == 0 else other) is None

    run(scenario)


def test_the_last_slot_that_is_gone_for_good_is_told_with_the_reason_and_fails_no_trial():
    async def scenario():
        box = TrialBroker(1)
        slot = await box.claim()
        await box.assign(slot, assignment("a"))
        waiting, news = asyncio.ensure_future(box.next_report(slot)), asyncio.ensure_future(box.wait_for_messages(0))
        assert await blocked(news)
        await box.retire(slot, "no resources")
        assert await news == ([], "no resources")
        assert await blocked(waiting)
        assert not await box.is_training()
        assert await box.wait_until_warm(0) is None
        await box.close()
        assert await box.wait_for_messages(0) is None

    run(scenario)


async def up(box: TrialBroker, *slots: int) -> None:
    for slot in slots:
        await box.register(slot, INFO)


def test_a_trial_of_a_broken_gang_goes_to_a_whole_one_and_waits_when_all_are_broken():
    async def scenario():
        box = TrialBroker(2)
        await box.retire(0, "no such disk")
        await up(box, 1)
        await box.assign(0, assignment("a"))
        sequence, taken = await box.next_assignment(1, 0)
        assert taken.trial == "a"
        await box.assign(1, assignment("b"))
        await box.report(1, sequence, report("a", 9, "complete"))
        assert (await box.next_report(0)).status == "complete"
        waiting = asyncio.ensure_future(box.next_report(1))
        assert await blocked(waiting), "the whole gang is at the other desk, whose owner may have something newer"
        await box.retire(1, "no such room")
        assert await blocked(waiting)
        assert await box.wait_for_messages(0) == ([], "no such room")

    run(scenario)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_broken_gang_goes_home(rank):
    async def scenario():
        box = TrialBroker(1)
        generation = await box.register(0, INFO)
        waiting = asyncio.ensure_future(
            box.next_assignment(0, 0) if rank == 0 else box.follow_assignment(0, generation, 0)
        )
        assert await blocked(waiting)
        await box.retire(0, "its other worker could not start")
        assert await waiting is None

    run(scenario)


def test_a_claim_gets_the_slot_it_prefers_or_the_first_that_is_free():
    async def scenario():
        box = TrialBroker(3)
        assert [await box.claim(1), await box.claim(1), await box.claim(7)] == [1, 0, 2]

    run(scenario)


def test_a_gang_whose_owner_died_while_it_waited_goes_home_all_the_same():
    async def scenario():
        box, slot, sequence, waiting = await at_a_rung(2)
        assert await blocked(waiting)  # and nobody will ever ask for more
        await box.close()
        assert await waiting is False
        assert await box.next_assignment(slot, sequence) is None

    run(scenario)


def test_trials_go_to_the_gangs_that_are_up_whatever_desk_they_lie_on():
    async def scenario():
        box = TrialBroker(3)
        for slot in range(3):
            await box.assign(slot, assignment("abc"[slot]))
        await up(box, 2)
        sequence, taken = await box.next_assignment(2, 0)
        assert taken.trial == "c", "its own"
        await box.report(2, sequence, report("c", 9, "complete"))
        assert (await box.next_report(2)).status == "complete"
        for trial in "ab":
            await box.assign(2, assignment("d" + trial))  # its owner has more; others wait longer
            sequence, taken = await box.next_assignment(2, sequence)
            assert taken.trial == trial
            await box.report(2, sequence, report(trial, 9, "complete"))
            slot = "ab".index(trial)
            assert (await box.next_report(slot)).trial == trial
            await box.release(slot)

    run(scenario)


def test_a_trial_whose_gang_lost_its_workers_goes_on_at_another_and_its_owner_sees_each_epoch_once():
    async def scenario():
        box = TrialBroker(2)
        await up(box, 0, 1)
        slot = await box.claim(0)
        await box.assign(slot, assignment("a"))
        old, _ = await box.next_assignment(0, 0)
        await box.report(0, old, report("a", 1))
        assert (await box.next_report(slot)).epoch == 1
        await box.mark_lost(0)
        new, taken = await box.next_assignment(1, 0)
        assert (taken.trial, taken.attempt) == ("a", 1)
        assert await box.report(0, old, report("a", 2)) is False, "what the dead one still had to say is void"
        await box.report(1, new, report("a", 1))
        await box.report(1, new, report("a", 2))
        assert (await box.next_report(slot)).epoch == 2
        await up(box, 0)
        assert await blocked(asyncio.ensure_future(box.next_assignment(0, old))), (
            "the first gang is back, and has nothing to do"
        )

    run(scenario)


def test_the_end_of_workers_that_was_announced_is_no_death_of_their_trial():
    async def scenario():
        box = TrialBroker(2)
        await up(box, 0, 1)
        await box.assign(0, assignment("a"))
        await box.next_assignment(0, 0)
        await box.mark_preempted(0)
        await box.mark_lost(0)
        assert (await box.next_assignment(1, 0))[1].attempt == 0

    run(scenario)


def test_a_gang_without_work_goes_home_but_the_last_and_is_called_again():
    async def scenario():
        box = TrialBroker(3, rest=0.2)
        await up(box, 0, 1, 2)
        taking = [asyncio.ensure_future(box.next_assignment(slot, 0)) for slot in range(3)]
        done, waiting = await asyncio.wait(taking, timeout=1.0)
        assert [task.result() for task in done] == [None, None]
        assert len(waiting) == 1
        home = [slot for slot, task in enumerate(taking) if task.done()]
        calls = [asyncio.ensure_future(box.wait_until_needed(slot)) for slot in home]
        assert await blocked(calls[0])
        for slot in range(2):
            await box.assign(slot, assignment("ab"[slot]))
        assert await next(iter(waiting)) is not None, "one trial goes to whoever is there"
        done, _ = await asyncio.wait(calls, timeout=0.1)
        assert [call.result() for call in done] == [True], "and one gang is called for the other"

    run(scenario)


def test_a_gang_that_waits_for_room_is_dropped_when_it_is_not_needed_and_only_then():
    async def scenario():
        box = TrialBroker(2, rest=0.2)
        await box.assign(1, assignment("b"))
        await up(box, 0)  # which takes the trial over: nothing is left for the other
        assert (await box.next_assignment(0, 0))[1].trial == "b"
        dropped = [asyncio.ensure_future(box.wait_until_unneeded(slot)) for slot in range(2)]
        assert await asyncio.wait_for(dropped[1], 1.0) is True
        assert await blocked(dropped[0])
        await box.close()
        assert await dropped[0] is False, "it has workers, who will be told"

    run(scenario)


def test_a_paused_trial_frees_its_gang_for_another_though_its_owner_sleeps():
    async def scenario():
        box = TrialBroker(2)
        await box.assign(0, assignment("a", rungs=(2,)))
        await box.assign(1, assignment("b"))
        await up(box, 0)
        sequence, _ = await box.next_assignment(0, 0)
        rung = asyncio.ensure_future(box.report(0, sequence, report("a", 2), wait=True))
        assert (await box.next_report(0)).epoch == 2
        await box.decide("a", 1, Decision.PAUSE)
        assert await blocked(rung), "a decision on an earlier epoch is void"
        await box.decide("a", 2, Decision.PAUSE)
        assert await rung is False
        assert (await box.next_assignment(0, sequence))[1].trial == "b"

    run(scenario)


def test_it_is_known_whether_anybody_trains():
    async def scenario():
        box = TrialBroker(2)
        await box.assign(0, assignment("a"))
        assert not await box.is_training()
        await up(box, 1)
        assert await box.is_training()
        await box.mark_lost(1)
        assert not await box.is_training()

    run(scenario)


def disk(slot: int) -> Fault:
    return Fault(kind=ErrorKind.STORAGE, message="OSError: [Errno 5] Input/output error", place=f"node-{slot}, cpu")


async def err(box: TrialBroker, slot: int) -> str:
    """The gang of a slot takes a trial, and has an error with it; the trial's name. Its next group comes up."""
    sequence, taken = await box.next_assignment(slot, 0)
    await box.report_fault(slot, sequence, disk(slot))
    await box.mark_lost(slot)
    return taken.trial


def test_an_error_of_a_place_costs_the_trial_nothing_and_is_told():
    async def scenario():
        box = TrialBroker(1)
        await up(box, 0)
        await box.assign(await box.claim(), assignment("a"))
        news = asyncio.ensure_future(box.wait_for_messages(0))
        assert await err(box, 0) == "a"
        lines, over = await news
        assert (len(lines), over) == (1, "")
        assert "slot 0 (node-0, cpu): storage error: OSError: [Errno 5]" in lines[0]
        await up(box, 0)
        sequence, taken = await box.next_assignment(0, 0)
        assert (taken.trial, taken.attempt) == ("a", 1)
        await box.report(0, sequence, report("a", 9, "complete"))
        assert (await box.next_report(0)).status == "complete"

    run(scenario)


def test_only_the_first_word_on_an_error_counts():
    async def scenario():
        box = TrialBroker(1)
        await up(box, 0)
        await box.assign(0, assignment("a"))
        sequence, _ = await box.next_assignment(0, 0)
        for _rank in range(4):
            await box.report_fault(0, sequence, disk(0))
        await box.mark_lost(0)
        await up(box, 0)
        assert (await box.next_assignment(0, 0))[1].attempt == 1
        assert len((await box.wait_for_messages(0))[0]) == 1

    run(scenario)


def test_an_error_that_follows_its_trial_fails_it_with_the_error_and_no_slot_is_blamed():
    async def scenario():
        box = TrialBroker(2)
        await up(box, 0, 1)
        await box.assign(0, assignment("a"))
        assert [await err(box, 0), await err(box, 1)] == ["a", "a"]
        await up(box, 0)
        assert await err(box, 0) == "a"
        last = await box.next_report(0)
        assert (last.status, last.epoch) == ("failed", 0)
        assert "OSError: [Errno 5] Input/output error (storage error, on 3 gangs, slots 0, 1)" in last.reason
        await box.assign(0, assignment("b"))
        await up(box, 0, 1)
        assert await err(box, 0) == "b", "neither slot is retired by two trials, of which one was at fault"
        assert "retired" not in " ".join((await box.wait_for_messages(0))[0])

    run(scenario)


def test_a_slot_where_everything_fails_is_retired_and_its_trials_come_through_elsewhere():
    async def scenario():
        box = TrialBroker(2)
        await up(box, 0, 1)
        names, done, busy = list("abcdef"), [], 0
        for slot in (0, 1):
            await box.assign(slot, assignment(names.pop(0)))
        for _ in range(40):
            bad = asyncio.ensure_future(err(box, 0))
            if await blocked(bad):
                bad.cancel()
            else:
                await up(box, 0)
            good = asyncio.ensure_future(box.next_assignment(1, busy))
            if await blocked(good):
                good.cancel()
                continue
            busy, taken = await good
            await box.report(1, busy, report(taken.trial, 9, "complete"))
            (desk,) = [n for n in (0, 1) if box._slots[n].reports]
            done.append((await box.next_report(desk)).trial)
            if names:
                await box.assign(desk, assignment(names.pop(0)))
            if len(done) == 6:
                break
        assert sorted(done) == list("abcdef")
        retired = [line for line in (await box.wait_for_messages(0))[0] if "retired" in line]
        assert len(retired) == 1
        assert f"slot 0 (node-0, cpu) is retired after {RETIRE_AFTER} errors" in retired[0]
        assert await box.next_assignment(0, 0) is None, "it goes home"

    run(scenario)


def test_a_trial_that_failed_twice_in_a_slot_waits_for_another_and_the_slot_takes_others():
    async def scenario():
        box = TrialBroker(2)
        await up(box, 0, 1)
        for slot in (0, 1):
            await box.assign(slot, assignment("ab"[slot]))
        other, _ = await box.next_assignment(1, 0)
        for _ in range(2):
            assert await err(box, 0) == "a"
            await up(box, 0)
        assert await blocked(asyncio.ensure_future(box.next_assignment(0, 0)))
        await box.report(1, other, report("b", 9, "complete"))
        await box.next_report(1)
        await box.assign(1, assignment("c"))
        assert (await box.next_assignment(1, other))[1].trial == "a"
        assert (await box.next_assignment(0, 0))[1].trial == "c"

    run(scenario)


def test_where_the_other_slots_are_gone_a_trial_is_trained_where_it_failed_before():
    async def scenario():
        box = TrialBroker(2)
        await up(box, 0, 1)
        for slot in (0, 1):
            await box.assign(slot, assignment("ab"[slot]))
        await box.next_assignment(1, 0)
        for _ in range(2):
            assert await err(box, 0) == "a"
            await up(box, 0)
        waiting = asyncio.ensure_future(box.next_assignment(0, 0))
        assert await blocked(waiting)
        await box.retire(1, "its node is gone")
        assert (await waiting)[1].trial == "a"

    run(scenario)


def test_a_bad_only_slot_ends_the_search_after_one_trial_and_holds_its_place():
    async def scenario():
        box = TrialBroker(1)
        await up(box, 0)
        await box.assign(0, assignment("a"))
        for _ in range(MOST_GANGS):
            assert await err(box, 0) == "a"
            await up(box, 0)
        assert (await box.next_report(0)).status == "failed"
        await box.assign(0, assignment("b"))
        assert await err(box, 0) == "b"
        lines, over = await box.wait_for_messages(0)
        assert over == lines[-1]
        assert over.startswith("slot 0 (node-0, cpu) is retired after 4 errors")
        assert await blocked(asyncio.ensure_future(box.next_report(0)))
        holding = asyncio.ensure_future(box.hold_resources(0))
        assert await blocked(holding)
        await box.close()
        await holding

    run(scenario)


def test_a_trial_that_comes_to_a_rung_clears_its_slot():
    async def scenario():
        box = TrialBroker(1)
        await up(box, 0)
        for trial in "abcdefgh":  # each fails once, and comes through
            await box.assign(0, assignment(trial, rungs=(3,)))
            assert await err(box, 0) == trial
            await up(box, 0)
            sequence, _ = await box.next_assignment(0, 0)
            told = asyncio.ensure_future(box.report(0, sequence, report(trial, 3), wait=True))
            assert (await box.next_report(0)).epoch == 3
            await box.decide(trial, 3, Decision.PAUSE)
            assert await told is False
        assert "retired" not in " ".join((await box.wait_for_messages(0))[0])

    run(scenario)


async def train(box: TrialBroker, slot: int, found: tuple[int, Assignment], rng: random.Random) -> bool:
    """Train what a gang took; whether the gang lives on."""
    sequence, taken = found
    for epoch in range(1, taken.max_epochs + 1):
        await asyncio.sleep(0)
        status = "complete" if epoch == taken.max_epochs else "running"
        if not await box.report(slot, sequence, report(taken.trial, epoch, status), wait=epoch in taken.rungs):
            return True
        if rng.random() < 0.05:
            await box.mark_preempted(slot)
            return False
    return True


async def keep_up(box: TrialBroker, slot: int, rng: random.Random) -> None:
    """A gang whose nodes come and go; any but the first may be gone for good."""
    while await box.wait_until_needed(slot):
        await asyncio.sleep(rng.uniform(0, 0.004))
        await box.register(slot, INFO)
        found: tuple[int, Assignment] | None = (0, assignment(""))
        while (found := await box.next_assignment(slot, found[0])) and await train(box, slot, found, rng):
            pass
        await box.mark_lost(slot)
        if slot and rng.random() < 0.1:
            await box.retire(slot, "its node is gone")


async def own(box: TrialBroker, trials: list[str], told: dict[str, list[EpochReport]], rng: random.Random) -> None:
    """Hand over trials, and stop some of them."""
    slot = await box.claim(rng.randrange(4))
    while trials:
        trial = trials.pop()
        await box.assign(slot, assignment(trial, rungs=(3,)))
        told[trial] = []
        while not told[trial] or (told[trial][-1].status == "running" and rng.random() > 0.05):
            if told[trial]:
                await box.decide(trial, told[trial][-1].epoch, Decision.CONTINUE)
            told[trial].append(await box.next_report(slot))
            assert told[trial][-1].trial == trial
    await box.release(slot)


@pytest.mark.parametrize("seed", range(12))
def test_whatever_becomes_of_gangs_every_trial_goes_on_and_is_told_every_epoch_once(seed):
    async def scenario():
        rng = random.Random(seed)
        box, told = TrialBroker(4, rest=0.001), {}
        gangs = [asyncio.ensure_future(keep_up(box, slot, rng)) for slot in range(4)]
        trials = [f"t{number}" for number in range(24)]
        await asyncio.gather(*(own(box, trials, told, rng) for _ in range(4)))
        await box.close()
        await asyncio.wait(gangs)
        assert len(told) == 24
        for curve in told.values():
            assert [one.epoch for one in curve] == list(range(1, len(curve) + 1))
            assert {one.status for one in curve} <= {"running", "complete"}

    run(scenario)


@pytest.mark.parametrize(
    ("end", "abandoned"),
    [
        (lambda box, slot: box.release(slot), False),
        (lambda box, slot: box.release(slot, abandon=True), True),
        (lambda box, _slot: box.decide("a", 1, Decision.STOP), False),
        (lambda box, _slot: box.decide("a", 1, Decision.STOP, abandon=True), True),
        (lambda box, slot: box.assign(slot, assignment("b")), False),
        (lambda box, _slot: box.close(), False),
    ],
    ids=["released", "given up", "stopped", "stopped and given up", "replaced", "closed"],
)
def test_a_worker_hears_in_an_epoch_whether_its_trial_is_abandoned(end, abandoned):
    async def scenario():
        box = TrialBroker(1)
        slot = await box.claim()
        await box.register(slot, INFO)
        await box.assign(slot, assignment("a"))
        sequence, _ = await box.next_assignment(slot, 0)
        await box.report(slot, sequence, report("a", 1))
        await box.next_report(slot)
        asked = asyncio.ensure_future(box.wait_until_abandoned(slot, sequence))
        assert await blocked(asked)
        await end(box, slot)
        assert await asked == abandoned

    run(scenario)


def test_the_trial_after_an_abandoned_one_is_not_abandoned():
    async def scenario():
        box = TrialBroker(1)
        slot = await box.claim()
        await box.register(slot, INFO)
        await box.assign(slot, assignment("a"))
        first, _ = await box.next_assignment(slot, 0)
        await box.release(slot, abandon=True)
        assert await box.claim() == slot
        await box.assign(slot, assignment("b"))
        second, taken = await box.next_assignment(slot, first)
        assert taken.trial == "b"
        assert await box.wait_until_abandoned(slot, first)
        asked = asyncio.ensure_future(box.wait_until_abandoned(slot, second))
        assert await blocked(asked)
        await box.release(slot)
        assert not await asked

    run(scenario)


def test_a_call_of_an_earlier_owner_takes_no_report_of_the_next():
    async def scenario():
        box = TrialBroker(1)
        slot = await box.claim()
        await box.register(slot, INFO)
        await box.assign(slot, assignment("a"))
        first, _ = await box.next_assignment(slot, 0)
        earlier = asyncio.ensure_future(box.next_report(slot))
        assert await blocked(earlier)
        await box.release(slot)  # as for an actor that was killed, whose call waits on
        assert await box.claim() == slot
        await box.assign(slot, assignment("b"))
        sequence, _ = await box.next_assignment(slot, first)
        await box.report(slot, sequence, report("b", 9, status="complete"))
        assert (await box.next_report(slot)).trial == "b"
        with pytest.raises(LookupError, match="slot 0 has another owner"):
            await earlier

    run(scenario)
