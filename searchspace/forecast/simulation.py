"""Simulated searches: random costs and random objective values under the real early-stopping rule."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from searchspace.sampling.samplers import STARTUP_TRIALS
from searchspace.spec import SearchSpec
from searchspace.stopping.full_length import FullLength
from searchspace.stopping.rules import make_rule, pausing_epochs
from searchspace.stopping.simulate_curves import Curve, simulate
from trainables.models.model_registry import learning_kind
from trainables.training.timing import Timing

MAX_SIMULATED_TRIALS = 128
"""Trials simulated; the times of a longer search are scaled up."""
BEST_MODEL_SHARE = 0.9
"""Share of trials that a learning sampler gives to the best model, after its random start."""
BEST_MODEL_LEAD = 2.0
"""Lead of that model, in standard deviations between configurations of one model."""
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
    """Known cost of configurations, by model."""

    by_model: Mapping[str, Sequence[Timing]]
    """At least one for each model that can be trained."""
    shares: Mapping[str, float]
    """Share of each model in random draws of the space."""

    def draw(self, model: str, rng: random.Random) -> Timing:
        """The timing of a random configuration of `model`."""
        return rng.choice(list(self.by_model[model]))

    def setup_seconds(self, model: str) -> float:
        """Seconds to set up a trial; the median, because the first trial of a worker also imports modules."""
        return median(timing.setup_seconds for timing in self.by_model[model])

    def first_trial_seconds(self, model: str) -> float:
        """Additional seconds of the first trial."""
        known = self.by_model[model]
        imports = max(timing.setup_seconds for timing in known) - self.setup_seconds(model)
        return max(timing.once_seconds for timing in known) + imports


def simulate_search(
    costs: TrialCosts, spec: SearchSpec, slots: int, best_model: str, rng: random.Random
) -> SimulatedSearch:
    """Simulate one search of `spec` on `slots` gangs, in which `best_model` turns out to be the best model."""
    trials = min(spec.trials, MAX_SIMULATED_TRIALS)
    learns = spec.sampler != "random"
    drawn = _draw(costs, trials, best_model, learns, rng)
    stops = pausing_epochs(spec.scheduler, spec.grace_epochs, spec.reduction_factor, spec.max_epochs)
    gain, seen, curves = learns * rng.random() * LEARNING_GAIN, set[str](), []
    for number, timing in enumerate(drawn):
        model = timing.config.model
        value = rng.gauss(0, 1) + gain * number / trials + (BEST_MODEL_LEAD if model == best_model else 0.0)
        begin = costs.setup_seconds(model)
        seconds = _seconds(
            begin + (0.0 if model in seen else costs.first_trial_seconds(model)), begin, timing, stops, spec.max_epochs
        )
        curves.append(
            Curve(seconds, [value + rng.gauss(0, EPOCH_NOISE) for _ in seconds], learning_kind(timing.config))
        )
        seen.add(model)
    return _run(drawn, curves, spec, slots)


def _run(drawn: Sequence[Timing], curves: Sequence[Curve], spec: SearchSpec, slots: int) -> SimulatedSearch:
    stops = pausing_epochs(spec.scheduler, spec.grace_epochs, spec.reduction_factor, spec.max_epochs)
    rule = make_rule(spec.scheduler, spec.budget_unit, stops, spec.reduction_factor)
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


def _draw(costs: TrialCosts, trials: int, best_model: str, learns: bool, rng: random.Random) -> list[Timing]:
    """One configuration of each model first, then random ones, then those that a learning sampler would suggest."""
    models = list(costs.by_model)
    weights = [costs.shares.get(model, 0.0) or 1e-9 for model in models]
    models_drawn = models[:trials]
    for number in range(len(models_drawn), trials):
        is_best = learns and number >= STARTUP_TRIALS and rng.random() < BEST_MODEL_SHARE
        models_drawn.append(best_model if is_best else rng.choices(models, weights)[0])
    return [costs.draw(model, rng) for model in models_drawn]


def _seconds(first: float, again: float, timing: Timing, stops: Sequence[int], epochs: int) -> list[float]:
    """Seconds to each epoch's end; a trial that is resumed after a rung is set up again."""
    ends = [first]
    for epoch in range(epochs):
        ends.append(ends[-1] + timing.epoch_seconds + (again if epoch in stops else 0.0))
    return ends[1:]


def simulate_finals(
    costs: TrialCosts, spec: SearchSpec, slots: int, best_model: str, growth: float
) -> tuple[float, float]:
    """Seconds of the finalists' trainings, all of `best_model`, and of the winner's on `growth` times the images.

    The configuration that the search began with is trained too, unless it is a finalist. An epoch of a student, which
    evaluates its teacher at every step, is assumed to take as long as one of the winner.
    """
    known = costs.by_model[best_model]
    mean = sum(timing.epoch_seconds for timing in known) / len(known)
    ends = [costs.setup_seconds(best_model) + mean * (epoch + 1) for epoch in range(spec.max_epochs)]
    curves = [Curve(ends, [0.0] * len(ends))] * ((spec.finalists + 1) * spec.final_seeds * max(1, spec.folds))
    training = sum(timing.training_seconds for timing in known) / len(known)
    *_, last = simulate(curves, FullLength(), slots)
    alone = [epochs for epochs in (spec.max_epochs, spec.student_epochs) if epochs]
    return last.time, sum(costs.setup_seconds(best_model) + growth * training * epochs for epochs in alone)
