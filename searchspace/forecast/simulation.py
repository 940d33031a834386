"""Simulated searches: random costs and random objective values under the real early-stopping rule."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from searchspace.forecast.phase_costs import most_trainings
from searchspace.forecast.trial_timing import family_name
from searchspace.sampling.samplers import STARTUP_TRIALS
from searchspace.spec import SearchSpec
from searchspace.stopping.rules import make_rule, pausing_epochs
from searchspace.stopping.simulate_curves import Curve, simulate
from trainables.config import TrialConfig
from trainables.models.model_registry import is_closed_form, learning_kind
from trainables.training.timing import Timing

MAX_SIMULATED_TRIALS = 128
"""Trials simulated; the times of a longer search are scaled up."""
BEST_FAMILY_SHARE = 0.9
"""Share of trials that a learning sampler gives to the best family, after its random start."""
BEST_FAMILY_LEAD = 2.0
"""Lead of that family, in standard deviations between configurations of one family."""
LEARNING_GAIN = 3.0
"""Largest gain of the sampled configurations from a search's start to its end, in the same unit.

A trial that is better than all before it passes its rung at once, so a search that learns trains more epochs than
one in three at each rung: 472 to 544 in three searches of 64 trials on digits; random values give 376, these 480.
"""
EPOCH_NOISE = 0.2
"""Standard deviation of one epoch's objective value, in the same unit."""


@dataclass(frozen=True)
class SimulatedSearch:
    """Duration and size of a simulated search."""

    seconds: float
    """From the first trial's start to the end of the last."""
    epochs: float
    """Epochs of all trials together."""
    checkpoints_mb: float
    """Checkpoints of the stopped trials on disk, in MB."""

    def cut_off_after(self, seconds: float) -> "SimulatedSearch":
        """The same search under a time budget of so many seconds."""
        share = min(1.0, seconds / self.seconds)
        return SimulatedSearch(self.seconds * share, self.epochs * share, self.checkpoints_mb)


@dataclass(frozen=True)
class TrialCosts:
    """Known cost of configurations, by family: one model, trained in one way."""

    by_family: Mapping[str, Sequence[Timing]]
    """At least one for each family that can be trained."""
    shares: Mapping[str, float]
    """Share of each family in random draws of the space."""

    def draw(self, family: str, rng: random.Random) -> Timing:
        """The timing of a random configuration of `family`."""
        return rng.choice(list(self.by_family[family]))

    def setup_seconds(self, family: str) -> float:
        """Seconds to set up a trial; the median, because the first trial of a worker also imports modules."""
        return median(timing.setup_seconds for timing in self.by_family[family])

    def first_trial_seconds(self, family: str) -> float:
        """Additional seconds of the first trial."""
        known = self.by_family[family]
        imports = max(timing.setup_seconds for timing in known) - self.setup_seconds(family)
        return max(timing.once_seconds for timing in known) + imports


def simulate_search(
    costs: TrialCosts, spec: SearchSpec, slots: int, best_family: str, rng: random.Random
) -> SimulatedSearch:
    """Simulate one search of `spec` on `slots` gangs, in which `best_family` turns out to be the best."""
    trials = min(spec.trials, MAX_SIMULATED_TRIALS)
    learns = spec.sampler != "random"
    drawn = _draw(costs, trials, best_family, learns, rng)
    stops = pausing_epochs(spec.scheduler, spec.grace_epochs, spec.reduction_factor, spec.max_epochs)
    gain, seen, curves = learns * rng.random() * LEARNING_GAIN, set[str](), []
    for number, timing in enumerate(drawn):
        family = family_name(timing.config)
        value = rng.gauss(0, 1) + gain * number / trials + (BEST_FAMILY_LEAD if family == best_family else 0.0)
        begin = costs.setup_seconds(family)
        first = begin + (0.0 if family in seen else costs.first_trial_seconds(family))
        seconds = _seconds(first, begin, timing, stops, spec.max_epochs)
        curves.append(
            Curve(seconds, [value + rng.gauss(0, EPOCH_NOISE) for _ in seconds], _stopped_with(timing.config))
        )
        seen.add(family)
    return _run(drawn, curves, spec, slots)


def _run(drawn: Sequence[Timing], curves: Sequence[Curve], spec: SearchSpec, slots: int) -> SimulatedSearch:
    stops = pausing_epochs(spec.scheduler, spec.grace_epochs, spec.reduction_factor, spec.max_epochs)
    rule = make_rule(spec.scheduler, spec.budget_unit, stops, spec.reduction_factor)
    steps = list(simulate(curves, rule, slots))
    reached = {step.observation.trial: step.observation.epoch for step in steps}
    left = [len(curve.values) - reached[trial] for trial, curve in enumerate(curves)]
    audited = spec.audit * sum(rest * timing.epoch_seconds for rest, timing in zip(left, drawn, strict=True))
    scale = spec.trials / len(drawn)
    return SimulatedSearch(
        seconds=scale * (steps[-1].time + audited / slots),
        epochs=scale * (len(steps) + spec.audit * sum(left)),
        checkpoints_mb=scale * sum(timing.checkpoint_mb for rest, timing in zip(left, drawn, strict=True) if rest),
    )


def _draw(costs: TrialCosts, trials: int, best_family: str, learns: bool, rng: random.Random) -> list[Timing]:
    """One configuration of each family first, then random ones, then those that a learning sampler would suggest."""
    families = list(costs.by_family)
    weights = [costs.shares.get(family, 0.0) or 1e-9 for family in families]
    families_drawn = families[:trials]
    for number in range(len(families_drawn), trials):
        is_best = learns and number >= STARTUP_TRIALS and rng.random() < BEST_FAMILY_SHARE
        families_drawn.append(best_family if is_best else rng.choices(families, weights)[0])
    return [costs.draw(family, rng) for family in families_drawn]


def _stopped_with(config: TrialConfig) -> str:
    """The kind of networks that early stopping compares a configuration with; a closed-form head it never sees."""
    return "closed form" if is_closed_form(config) else learning_kind(config)


def _seconds(first: float, again: float, timing: Timing, stops: Sequence[int], epochs: int) -> list[float]:
    """Seconds to each epoch's end; a trial that is resumed after a rung is set up again."""
    ends = [first]
    for epoch in range(1 if is_closed_form(timing.config) else epochs):
        ends.append(ends[-1] + timing.epoch_seconds + (again if epoch in stops else 0.0))
    return ends[1:]


def simulate_finals(
    costs: TrialCosts, spec: SearchSpec, slots: int, best_family: str, growth: float
) -> tuple[float, float]:
    """Seconds of the finalists' trainings, all of `best_family`, and of the winner's on `growth` times the images.

    The configuration that the search began with is trained too, unless it is a finalist. An epoch of a student, which
    evaluates its teacher at every step, is assumed to take as long as one of the winner.
    """
    known = costs.by_family[best_family]
    setup = costs.setup_seconds(best_family)
    epochs = 1 if is_closed_form(known[0].config) else spec.max_epochs
    one = setup + epochs * fmean(timing.epoch_seconds for timing in known)
    training = fmean(timing.training_seconds for timing in known)
    alone = [epochs, *([spec.student_epochs] if spec.student_epochs else [])]
    return (
        -(-most_trainings(spec, known[0]) // slots) * one,
        sum(setup + growth * training * length for length in alone),
    )
