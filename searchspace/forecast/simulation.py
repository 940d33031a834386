"""Searches imagined: drawn costs and drawn values through the real early-stopping rule, some dozen times."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from searchspace.sampling.samplers import STARTUP_TRIALS
from searchspace.spec import SearchSpec
from searchspace.stopping.full_length import FullLength
from searchspace.stopping.rules import make_rule
from searchspace.stopping.rung import rungs
from searchspace.stopping.simulate_curves import Curve, simulate
from trainables.models.catalog import kind_of
from trainables.training.timing import Timing

MAX_SIMULATED_TRIALS = 128
"""Trials imagined; a longer search is as many times longer."""
BEST_MODEL_SHARE = 0.9
"""Share of trials that a sampler which learns gives to the model it found best, after its random start."""
BEST_MODEL_LEAD = 2.0
"""By how much that model is better, in standard deviations between configurations of one model."""
LEARNING_GAIN = 3.0
"""By how much its configurations are better at a search's end than at its start, at most, in the same unit.

What is better than all before it passes its rung at once, so a search that learns trains more epochs than one in
three at each rung: 472 to 544 in three searches of 64 trials on digits, where random values give 376, and these 480.
"""
EPOCH_NOISE = 0.2
"""Standard deviation of one epoch's objective value, in the same unit."""


@dataclass(frozen=True)
class SimulatedSearch:
    """What an imagined search took."""

    seconds: float
    """From the first trial's start to the end of the last."""
    epochs: float
    """Epochs trained, all trials together."""
    checkpoints_mb: float
    """What the trials that were held back leave on disk, in MB."""

    def within(self, seconds: float) -> "SimulatedSearch":
        """The same, cut off after so many seconds."""
        share = min(1.0, seconds / self.seconds)
        return SimulatedSearch(self.seconds * share, self.epochs * share, self.checkpoints_mb)


@dataclass(frozen=True)
class TrialCosts:
    """What configurations of each model take, as far as is known."""

    by_model: Mapping[str, Sequence[Timing]]
    """At least one for each model that can be trained."""
    shares: Mapping[str, float]
    """How often a random draw of the space is of each of these models."""

    def draw(self, model: str, rng: random.Random) -> Timing:
        """One configuration of `model`."""
        return rng.choice(list(self.by_model[model]))

    def setup(self, model: str) -> float:
        """Seconds to set a trial up; the median, because the first one on a worker imports what the others find."""
        return median(timing.setup_seconds for timing in self.by_model[model])

    def once(self, model: str) -> float:
        """Seconds that only the first trial takes."""
        known = self.by_model[model]
        imports = max(timing.setup_seconds for timing in known) - self.setup(model)
        return max(timing.once_seconds for timing in known) + imports


def simulate_search(
    costs: TrialCosts, spec: SearchSpec, slots: int, favourite: str, rng: random.Random
) -> SimulatedSearch:
    """One search of `spec` on `slots` gangs, whose sampler comes to prefer the model `favourite`."""
    trials = min(spec.trials, MAX_SIMULATED_TRIALS)
    learns = spec.sampler != "random"
    drawn = _draw(costs, trials, favourite, learns, rng)
    levels = rungs(spec.grace_epochs, spec.reduction_factor, spec.max_epochs)
    gain, seen, curves = learns * rng.random() * LEARNING_GAIN, set[str](), []
    for number, timing in enumerate(drawn):
        model = timing.config.model
        value = rng.gauss(0, 1) + gain * number / trials + (BEST_MODEL_LEAD if model == favourite else 0.0)
        stops = levels if spec.scheduler != "none" else ()
        begin = costs.setup(model)
        seconds = _seconds(begin + (0.0 if model in seen else costs.once(model)), begin, timing, stops, spec.max_epochs)
        curves.append(Curve(seconds, [value + rng.gauss(0, EPOCH_NOISE) for _ in seconds], kind_of(timing.config)))
        seen.add(model)
    return _run(drawn, curves, spec, slots)


def _run(drawn: Sequence[Timing], curves: Sequence[Curve], spec: SearchSpec, slots: int) -> SimulatedSearch:
    levels = rungs(spec.grace_epochs, spec.reduction_factor, spec.max_epochs)
    rule = make_rule(spec.scheduler, spec.budget_unit, levels, spec.reduction_factor)
    steps = list(simulate(curves, rule, slots))
    reached = {step.observation.trial: step.observation.epoch for step in steps}
    left = [spec.max_epochs - reached[trial] for trial in range(len(drawn))]
    audited = spec.audit * sum(rest * timing.epoch_seconds for rest, timing in zip(left, drawn, strict=True))
    scale = spec.trials / len(drawn)
    return SimulatedSearch(
        seconds=scale * (steps[-1].time + audited / slots),
        epochs=scale * (len(steps) + spec.audit * sum(left)),
        checkpoints_mb=scale * sum(timing.checkpoint_mb for rest, timing in zip(left, drawn, strict=True) if rest),
    )


def _draw(costs: TrialCosts, trials: int, favourite: str, learns: bool, rng: random.Random) -> list[Timing]:
    """One configuration of each model first, then random ones, then those that a sampler which learns would ask for."""
    models = list(costs.by_model)
    weights = [costs.shares.get(model, 0.0) or 1e-9 for model in models]
    begun = models[:trials]
    for number in range(len(begun), trials):
        favoured = learns and number >= STARTUP_TRIALS and rng.random() < BEST_MODEL_SHARE
        begun.append(favourite if favoured else rng.choices(models, weights)[0])
    return [costs.draw(model, rng) for model in begun]


def _seconds(first: float, again: float, timing: Timing, stops: Sequence[int], epochs: int) -> list[float]:
    """Seconds to each epoch's end; what goes on after a rung is set up again."""
    ends = [first]
    for epoch in range(epochs):
        ends.append(ends[-1] + timing.epoch_seconds + (again if epoch in stops else 0.0))
    return ends[1:]


def simulate_finals(
    costs: TrialCosts, spec: SearchSpec, slots: int, favourite: str, growth: float
) -> tuple[float, float]:
    """Seconds of the finalists' trainings, all of the favourite, and of the winner's on `growth` times the images.

    What the search began with is trained beside the finalists, unless it is one of them.
    A student, which asks its teacher at every step, is taken to need as long an epoch as the winner.
    """
    known = costs.by_model[favourite]
    mean = sum(timing.epoch_seconds for timing in known) / len(known)
    ends = [costs.setup(favourite) + mean * (epoch + 1) for epoch in range(spec.max_epochs)]
    curves = [Curve(ends, [0.0] * len(ends))] * ((spec.finalists + 1) * spec.final_seeds)
    training = sum(timing.training_seconds for timing in known) / len(known)
    *_, last = simulate(curves, FullLength(), slots)
    alone = [epochs for epochs in (spec.max_epochs, spec.student_epochs) if epochs]
    return last.time, sum(costs.setup(favourite) + growth * training * epochs for epochs in alone)
