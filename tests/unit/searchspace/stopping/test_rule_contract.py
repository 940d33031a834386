"""The contract of `StoppingRule`, for every registered rule, over searches that hypothesis draws."""

from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchspace.stopping.asha_seconds import AshaSeconds
from searchspace.stopping.rule import RuleEvent, StoppingRule, recall
from searchspace.stopping.rules import SCHEDULERS, make_rule
from searchspace.stopping.rung import Observation, rungs

LENGTH, FACTOR = 9, 3
RUNGS = rungs(1, FACTOR, LENGTH)
KINDS = ("scratch", "frozen")
RULES = {name: lambda name=name: make_rule(name, "epochs", RUNGS, FACTOR) for name in SCHEDULERS}
RULES |= {f"{name} alone": lambda name=name: SCHEDULERS[name].make(RUNGS, FACTOR) for name in SCHEDULERS}
RULES |= {"seconds": lambda: AshaSeconds(RUNGS, FACTOR)}


@dataclass
class Search:
    """A search of trials that are drawn, in which anything may happen in any order; checks the contract on its way."""

    rule: StoppingRule
    rng: Random
    count: int
    failing: float = 0.0
    """Share of steps in which a trial fails."""
    kinds: tuple[str, ...] = KINDS
    """Kinds of networks, in turn."""
    events: list[RuleEvent] = field(default_factory=list)
    epochs: dict[int, int] = field(default_factory=dict)
    training: set[int] = field(default_factory=set)
    paused: set[int] = field(default_factory=set)
    failed: set[int] = field(default_factory=set)

    def value(self, trial: int, epoch: int) -> float:
        """Without noise: a trial is as good at each epoch as another, or worse at each."""
        return Random(trial).random() * (1 - 0.7**epoch)

    def kind(self, trial: int) -> str:
        return self.kinds[trial % len(self.kinds)]

    def run(self) -> None:
        """Begin, train, repeat, fail and promote at random; then drain, until nothing is left to train."""
        while len(self.epochs) < self.count or self.training:
            if not self.training or (len(self.epochs) < self.count and self.rng.random() < 0.3):
                if not self.promote() and len(self.epochs) < self.count:
                    self.begin()
            else:
                self.step(self.rng.choice(sorted(self.training)))
        self.rule.drain()
        while self.promote():
            while self.training:
                self.step(min(self.training))
        assert self.rule.promote() is None

    def begin(self) -> None:
        trial = len(self.epochs)
        self.epochs[trial] = 0
        self.training.add(trial)

    def step(self, trial: int) -> None:
        """One epoch of a trial, or its end."""
        if self.rng.random() < self.failing:
            self.training.remove(trial)
            self.failed.add(trial)
            self.add(trial, failed=True)
            self.rule.fail(trial, self.kind(trial))
            return
        if self.epochs[trial] and self.rng.random() < 0.1:  # resumed from an older checkpoint
            assert self.rule.report(self.observe(trial, self.epochs[trial])), "it was trained on from there before"
        self.epochs[trial] += 1
        if self.epochs[trial] == LENGTH:  # the last report is the trial's end, and the rule's business no more
            self.training.remove(trial)
            return
        observation = self.observe(trial, self.epochs[trial])
        self.add(trial, observation=observation)
        if not self.rule.report(observation):
            assert self.epochs[trial] in RUNGS, "a trial pauses at a rung"
            self.training.remove(trial)
            self.paused.add(trial)
        self.check()

    def observe(self, trial: int, epoch: int) -> Observation:
        value = self.value(trial, epoch)
        return Observation(trial=trial, epoch=epoch, value=value, seconds=float(epoch), kind=self.kind(trial))

    def promote(self) -> bool:
        trial = self.rule.promote()
        if trial is None:
            return False
        assert trial in self.paused, "a paused trial is promoted, once, and no failed one"
        self.add(trial)
        self.paused.remove(trial)
        self.training.add(trial)
        self.check()
        return True

    def add(self, trial: int, **event) -> None:
        self.events.append(RuleEvent(order=len(self.events), trial=trial, kind=self.kind(trial), **event))

    def check(self) -> None:
        for trial in range(self.count):
            standing = self.rule.standing(trial)
            assert (standing is not None) == (trial in self.paused)
            assert standing is None or 1 <= standing.rank <= standing.of
            assert standing is None or standing.rung == self.epochs[trial]


@pytest.mark.parametrize("name", RULES)
@settings(max_examples=25, deadline=None)
@given(
    rng=st.randoms(use_true_random=False),
    count=st.integers(1, 24),
    failing=st.sampled_from([0.0, 0.05, 0.3]),
    kinds=st.sampled_from([KINDS, KINDS[:1]]),
)
def test_every_rule_keeps_the_contract(name, rng, count, failing, kinds):
    search = Search(RULES[name](), rng, count, failing, kinds)
    search.run()
    again = RULES[name]()
    recall(again, reversed(search.events))
    for trial in search.paused:
        assert again.standing(trial) == search.rule.standing(trial), "a resumed search decides alike"
    again.drain()
    over = {trial for trial in range(count) if trial in search.failed or search.epochs[trial] == LENGTH}
    assert set(iter(again.promote, None)) <= over - search.failed, "nothing that a search left is worth training"
    pausing = set(range(count)) - {event.trial for event in search.events[:1]}  # `ByKind` never pauses the first
    if not failing and len(kinds) == 1 and pausing:
        best = max(pausing, key=lambda trial: search.value(trial, 1))
        assert search.epochs[best] == max(search.epochs[trial] for trial in pausing)


@pytest.mark.parametrize("name", [name for name, rule in SCHEDULERS.items() if not rule.uses_rungs])
@given(values=st.lists(st.floats(-1, 1), min_size=1, max_size=30))
def test_a_rule_that_uses_no_rungs_pauses_nothing(name, values):
    rule = SCHEDULERS[name].make(RUNGS, FACTOR)
    for trial, value in enumerate(values):
        for epoch in range(1, LENGTH):
            assert rule.report(Observation(trial=trial, epoch=epoch, value=value))
    assert rule.promote() is None


@pytest.mark.parametrize("name", RULES)
def test_a_trial_that_failed_counts_below_all_others(name):
    rule = RULES[name]()
    rule.fail(0, "scratch")
    for trial in range(1, 7):
        rule.report(Observation(trial=trial, epoch=1, value=trial, kind="scratch"))
    rule.drain()
    promoted = set(iter(rule.promote, None))
    assert 0 not in promoted
    assert rule.standing(6) is None, "the best is never held behind a failed one"
