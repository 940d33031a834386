"""The trial broker under any order of assignments, reports, stops and deaths: none is lost, and none trains twice."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from trainables.config import Assignment, EpochReport, TrialConfig
from trainables.workers.slot_state import GangInfo
from trainables.workers.trial_broker import TrialBroker

INFO = GangInfo(device="cpu", precision="fp32", threads=1)
EPOCHS = 3
MAX_DEATHS = 3
"""Deaths of its gangs in one epoch after which a trial has failed."""


@dataclass
class Worker:
    """Rank 0 of a gang: it asks for a trial, and trains one epoch whenever the test says so."""

    slot: int
    asking: asyncio.Task[tuple[int, Assignment] | None] | None = None
    sequence: int = 0
    trial: str = ""

    def stop(self) -> None:
        if self.asking is not None:
            self.asking.cancel()
        self.asking, self.sequence, self.trial = None, 0, ""


@dataclass
class Owner:
    """Who has claimed a slot for a trial, and reads its reports."""

    slot: int
    trial: str
    reading: asyncio.Task[None] | None = None
    epochs: list[int] = field(default_factory=list)
    outcome: str = ""


class BrokerMachine(RuleBasedStateMachine):
    """A broker with some slots, whose workers and owners act in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.owners: list[Owner] = []
        self.checkpoints: dict[str, int] = {}
        self.deaths: dict[str, int] = {}

    def do(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a call that ends at once, and let all that waits see what it changed."""
        found = self.loop.run_until_complete(asyncio.wait_for(coroutine, 2))
        self.settle()
        return found

    def settle(self) -> None:
        async def turn() -> None:
            for _ in range(30):
                await asyncio.sleep(0)

        self.loop.run_until_complete(turn())
        for slot, worker in [*self.workers.items()]:
            if worker.asking is not None and worker.asking.done():
                taken = worker.asking.result()
                worker.asking = None
                if taken is None:  # its slot is retired, for the errors of several trials there
                    self.retired.add(slot)
                    del self.workers[slot]
                else:
                    worker.sequence, worker.trial = taken[0], taken[1].trial

    @initialize(slots=st.integers(1, 4))
    def make_broker(self, slots: int) -> None:
        self.slots = slots
        self.workers: dict[int, Worker] = {}
        self.retired: set[int] = set()

        async def make() -> TrialBroker:
            return TrialBroker(slots)

        self.broker = self.loop.run_until_complete(make())

    def active(self) -> list[Owner]:
        return [owner for owner in self.owners if not owner.outcome]

    @precondition(lambda self: len(self.active()) < self.slots)
    @rule(preferred=st.integers(0, 3))
    def claim_and_assign(self, preferred: int) -> None:
        slot = self.do(self.broker.claim(preferred % self.slots))
        assert slot not in {owner.slot for owner in self.active()}, "a slot has one owner"
        owner = Owner(slot, f"trial-{len(self.owners)}")
        self.owners.append(owner)
        task = Assignment(
            trial=owner.trial, kind="search", config=TrialConfig(), seed=0, max_epochs=EPOCHS, folder="/nowhere"
        )
        self.do(self.broker.assign(slot, task))
        owner.reading = self.loop.create_task(self.read(owner))
        self.settle()

    async def read(self, owner: Owner) -> None:
        while not owner.outcome:
            try:
                report = await self.broker.next_report(owner.slot)
            except LookupError:
                assert owner.outcome == "stopped", "an owner hears of its own trial until that ends"
                return
            assert report.trial == owner.trial, "each owner reads the reports of its own trial"
            if report.status == "failed":
                owner.outcome = "failed"
            else:
                owner.epochs.append(report.epoch)
                owner.outcome = "complete" if report.status == "complete" else ""
        await self.broker.release(owner.slot)

    @precondition(lambda self: self.active())
    @rule(which=st.integers(0, 99), killed=st.booleans(), abandon=st.booleans())
    def stop_trial(self, which: int, killed: bool, abandon: bool) -> None:
        """An owner gives its slot back; the call of one that was `killed` waits on in the broker."""
        owner = self.active()[which % len(self.active())]
        owner.outcome = "stopped"
        if not killed:
            owner.reading.cancel()
        self.do(self.broker.release(owner.slot, abandon))

    @rule(slot=st.integers(0, 3))
    def start_gang(self, slot: int) -> None:
        slot %= self.slots
        if slot not in self.workers and slot not in self.retired:
            self.workers[slot] = Worker(slot)
            self.do(self.broker.register(slot, INFO))
            self.ask(self.workers[slot])

    def ask(self, worker: Worker) -> None:
        worker.trial = ""
        worker.asking = self.loop.create_task(self.broker.next_assignment(worker.slot, worker.sequence))
        self.settle()

    @precondition(lambda self: self.workers)
    @rule(which=st.integers(0, 99))
    def train_epoch(self, which: int) -> None:
        worker = [*self.workers.values()][which % len(self.workers)]
        if not worker.trial:
            return
        epoch = self.checkpoints.get(worker.trial, 0) + 1
        status = "complete" if epoch == EPOCHS else "running"
        report = EpochReport(trial=worker.trial, epoch=epoch, score=0.5, status=status)
        trial, stopped = worker.trial, self.outcome_of(worker.trial) == "stopped"
        goes_on = self.do(self.broker.report(worker.slot, worker.sequence, report))
        if not stopped:
            self.checkpoints[trial] = epoch
        if not goes_on or status == "complete":
            self.ask(worker)
        else:
            assert not stopped, "a stopped trial is not trained on"

    def outcome_of(self, trial: str) -> str:
        return next(owner.outcome for owner in self.owners if owner.trial == trial)

    @precondition(lambda self: self.workers)
    @rule(which=st.integers(0, 99), announced=st.booleans(), cancelled=st.booleans())
    def lose_gang(self, which: int, announced: bool, cancelled: bool) -> None:
        """The workers of a gang die; the call of one that asked for a trial waits on in the broker, or is cancelled."""
        slot = [*self.workers][which % len(self.workers)]
        worker = self.workers.pop(slot)
        if announced:
            self.do(self.broker.mark_preempted(slot))
        elif worker.trial:
            self.deaths[worker.trial] = self.deaths.get(worker.trial, 0) + 1
        if cancelled:
            worker.stop()
        self.settle()
        self.do(self.broker.mark_lost(slot))

    @invariant()
    def one_gang_trains_a_trial(self) -> None:
        live = {owner.trial for owner in self.owners if not owner.outcome}
        training = [w.trial for w in getattr(self, "workers", {}).values() if w.trial in live]
        assert len(training) == len(set(training))

    @invariant()
    def epochs_are_read_once_and_in_order(self) -> None:
        for owner in self.owners:
            assert owner.epochs == [*range(1, len(owner.epochs) + 1)]

    def teardown(self) -> None:
        """With all gangs up, every trial that was not stopped ends."""
        if hasattr(self, "broker"):
            for slot in range(self.slots):
                self.start_gang(slot)
            for _ in range(4 * EPOCHS * (len(self.owners) + 1)):
                for index in range(len(self.workers)):
                    self.train_epoch(index)
            if len(self.retired) == self.slots:
                assert self.do(self.broker.wait_for_messages(0))[1], "no slot is left, and the broker says why"
            else:
                assert [owner.trial for owner in self.active()] == [], "no trial is lost"
            assert len(self.retired) <= sum(self.deaths.values()) // 3, "a slot is retired for several deaths there"
            for owner in self.owners:
                if owner.outcome == "complete":
                    assert owner.epochs == [*range(1, EPOCHS + 1)]
                elif owner.outcome == "failed":
                    assert self.deaths[owner.trial] >= MAX_DEATHS, "its gangs died, again and again"
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()


TestTrialBroker = BrokerMachine.TestCase
TestTrialBroker.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, database=None, derandomize=True
)
