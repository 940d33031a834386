"""A search on any number of GPUs, event by event: the project's own rule decides, and all costs what was measured."""

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from searchspace.stopping.rules import make_rule
from searchspace.stopping.rung import Observation, rungs
from tests.helpers.scale.clock import Clock, Machine
from tests.helpers.scale.costs import Costs, at
from tests.helpers.scale.outcome import Outcome, Watch
from trainables.config import Frozen

LOOP, MAILBOX, PROCESSES = "loop", "mailbox", ""
SPREAD = 0.4
"""Standard deviation of the logarithm of a trial's seconds an epoch: small networks and large ones."""
JITTER = 0.05
"""The same of one epoch of one trial, and of a gang's start."""


class Setting(Frozen):
    """What is simulated."""

    slots: int
    """Gangs: trials at a time."""
    trials: int
    """Configurations in all."""
    epoch_seconds: float
    """Mean seconds of an epoch."""
    workers: int = 1
    """Workers of a gang; each asks the trial broker for every trial."""
    max_epochs: int = 18
    """Full length of a trial."""
    grace_epochs: int = 2
    """First rung; 0 for a search without early stopping."""
    cores: int = 64
    """Of the head."""
    pending: int = 0
    """Trials at a time that may wait for their actor; 0 lets all."""
    starting: int = 1_000_000
    """Gangs that start at a time."""
    seed: int = 0
    """Of everything drawn."""


@dataclass
class Trial:
    """One configuration."""

    number: int
    quality: float
    seconds: float
    epoch: int = 0


class Search:
    """The driver, the head and the gangs of one search."""

    def __init__(self, setting: Setting, costs: Costs) -> None:
        self.setting, self.costs = setting, costs
        self.clock, self.random = Clock(), np.random.default_rng(setting.seed)
        kept = math.ceil(setting.slots * (costs.keep + costs.thread))
        self.head = Machine(self.clock, max(1, setting.cores - kept), (LOOP, MAILBOX))
        self.watch = Watch(self.clock, self.head, setting, kept)
        self.levels = rungs(setting.grace_epochs, 3, setting.max_epochs) if setting.grace_epochs else ()
        self.rule = make_rule("asha" if self.levels else "none", "epochs", self.levels, 3)
        self.trials: list[Trial] = []
        self.training = self.pending = self.actors = 0
        self.free: deque[int] = deque()
        self.starting: deque[list[Trial]] = deque()
        self.warm: set[int] = set()
        self.waiting: dict[int, Trial] = {}
        self.idle_since: dict[int, float] = {}

    def run(self) -> Outcome:
        """The whole search."""
        cold = deque(range(self.setting.slots))
        for _ in range(min(self.setting.starting, self.setting.slots)):
            self._start_gang(cold)
        self._fill()
        self.clock.run()
        return self.watch.outcome(self.costs, len(self.trials))

    # Starting.

    def _start_gang(self, cold: deque[int]) -> None:
        if not cold:
            return
        slot = cold.popleft()
        seconds = self.costs.gang_start * self._jitter()

        def up() -> None:
            self.warm.add(slot)
            self.watch.warm(len(self.warm))
            self._start_gang(cold)
            if slot in self.waiting:
                self._train(slot, self.waiting.pop(slot))

        self.head.ask(PROCESSES, self.costs.controller_start, lambda: self.clock.after(seconds, up))

    def _fill(self) -> None:
        """Ask the searcher for trials, as Tune's loop does at each step: while slots are free, and few are pending."""
        while self.training < self.setting.slots and self.pending < (self.setting.pending or self.setting.slots):
            trial, new = self._next()
            if trial is None:
                return
            self.training, self.pending = self.training + 1, self.pending + 1
            seconds = self.costs.go + (at(self.costs.suggest, self.training) if new else 0.0)
            self.head.ask(LOOP, seconds, lambda trial=trial: self._place(trial))

    def _next(self) -> tuple[Trial | None, bool]:
        """What the searcher gives: who may go on, else a new trial, else whoever is best when nobody trains."""
        number = self.rule.promote()
        if number is None and len(self.trials) < self.setting.trials:
            spread = float(np.exp(self.random.normal(-(SPREAD**2) / 2, SPREAD)))
            trial = Trial(len(self.trials), float(self.random.normal()), self.setting.epoch_seconds * spread)
            self.trials.append(trial)
            return trial, True
        if number is None:
            self.watch.dry()
            if self.training == 0:
                self.rule.drain()
                number = self.rule.promote()
        return (None if number is None else self.trials[number]), False

    def _place(self, trial: Trial) -> None:
        """A trial has an actor, that of an ended one or a new process; the actor hands it to its gang."""
        if self.free:
            self._assign(self.free.popleft(), trial)
            return
        ticket = [trial]
        self.starting.append(ticket)

        def started() -> None:
            if ticket:  # nobody else has taken the trial
                self.starting.remove(ticket)
                self.actors += 1
                self._assign(self.actors - 1, trial)

        self.head.ask(PROCESSES, self.costs.actor_start, started)

    def _assign(self, slot: int, trial: Trial) -> None:
        """A trial actor makes ready for a trial, and hands it to its gang."""

        def hand() -> None:
            self.head.ask(MAILBOX, (1 + self.setting.workers) * self._letter(), assigned)

        def assigned() -> None:
            self.pending -= 1
            self._fill()
            if slot in self.idle_since:
                self.watch.handed(self.clock.now - self.idle_since.pop(slot))
            if slot in self.warm:
                self._train(slot, trial)
            else:
                self.waiting[slot] = trial

        self.head.ask(PROCESSES, self.costs.reset, hand)

    # Training.

    def _train(self, slot: int, trial: Trial) -> None:
        """One epoch."""
        self.watch.trains(slot)
        self.clock.after(trial.seconds * self._jitter(), lambda: self._report(slot, trial))

    def _report(self, slot: int, trial: Trial) -> None:
        """An epoch's end: through broker and trial actor to the loop; at a rung, or the last one, the gang waits."""
        self.watch.rests()
        trial.epoch += 1
        epoch, asked = trial.epoch, self.clock.now
        waits = epoch in self.levels or epoch == self.setting.max_epochs
        hear = at(self.costs.hear, self.training) + at(self.costs.wait, self.training) + self.costs.result
        seconds = hear + (at(self.costs.end, self.training) if waits else 0.0)

        def relay() -> None:
            self.head.ask(PROCESSES, self.costs.relay, lambda: self.head.ask(LOOP, seconds, heard))

        def heard() -> None:
            self.watch.heard()
            if waits:
                self._decide(slot, trial, asked)

        self.head.ask(MAILBOX, 2 * self._letter(), relay)
        if not waits:
            self._train(slot, trial)

    def _decide(self, slot: int, trial: Trial, asked: float) -> None:
        if trial.epoch < self.setting.max_epochs and self.rule.report(self._observe(trial)):

            def go_on() -> None:
                self.watch.decided(self.clock.now - asked)
                self._train(slot, trial)

            self.head.ask(MAILBOX, self._letter(), go_on)
            return
        if trial.epoch == self.setting.max_epochs:
            self.watch.done(trial.number)
        self.training -= 1
        if not self.watch.is_dry:
            self.idle_since[slot] = asked
        if (
            self.starting
        ):  # Tune gives an actor that is free to the trial that waits longest, and ends the start of its own
            self._assign(slot, self.starting.popleft().pop())
        else:
            self.free.append(slot)
        self._fill()

    def _observe(self, trial: Trial) -> Observation:
        noise = float(self.random.normal()) / trial.epoch
        return Observation(trial=trial.number, epoch=trial.epoch, value=trial.quality + noise)

    def _letter(self) -> float:
        return self.costs.call + at(self.costs.letter, self.setting.slots)

    def _jitter(self) -> float:
        return float(np.exp(self.random.normal(0.0, JITTER)))


def simulate(setting: Setting, costs: Costs) -> Outcome:
    """What comes of `setting` where everything costs `costs`; the same for the same seed."""
    return Search(setting, costs).run()
