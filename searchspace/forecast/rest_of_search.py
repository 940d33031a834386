"""What is left of a running search, drawn at random from the costs of its own trials so far."""

import heapq
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from searchspace.spec import SearchSpec
from searchspace.stopping.rules import pausing_epochs
from trainables.models.model_registry import is_closed_form
from trainables.training.timing import Timing

PASS_SHARE = 1.6
"""Trials that pass a rung, as a multiple of one in the reduction factor: a search that learns promotes more (472 to 544
epochs in three searches of 64 trials on digits, where one in three at each rung would be 299)."""
PASS_TRIALS = 8.0
"""Trials that this counts for, beside those that the search itself has had at rungs."""
MOST_DRAWN = 512
"""Trials of which the rest of a search is drawn: a budget alone sets no limit to their number."""


@dataclass(frozen=True)
class KnownTrial:
    """A trial of the search that has reported."""

    timing: Timing
    """What it costs."""
    family: str
    """The trials that cost about the same: one model, trained in one way."""
    epoch: int
    """Epochs that it has."""
    is_running: bool = False
    """Whether a gang trains it."""


@dataclass(frozen=True)
class RestOfSearch:
    """What is left of a search."""

    seconds: float
    """Until its last trial ends."""
    epochs: float
    """Epochs of all trials."""
    trials: int
    """Trials that begin and end in that time."""


@dataclass(frozen=True)
class TrialDraws:
    """Random costs of trials of one search, by what its trials so far have cost."""

    by_family: Mapping[str, Sequence[Timing]]
    """Costs of the trials so far."""
    weights: Mapping[str, float]
    """How often new trials are of each family, relative to the others."""
    passing: float
    """Share of the trials that go on from a rung."""
    rungs: tuple[int, ...]
    """Epochs at which trials pause."""
    max_epochs: int
    """Full length of a trial."""

    def begin(self, rng: random.Random) -> tuple[float, float]:
        """Seconds and epochs of a new trial."""
        names = list(self.by_family)
        weights = [self.weights.get(name, 0.0) for name in names]
        name = rng.choices(names, weights if any(weights) else None)[0]
        known = self.by_family[name]
        seconds, epochs = self.go_on(rng.choice(known), 0, rng)
        return seconds + _shared_seconds(known), epochs

    def go_on(self, timing: Timing, reached: int, rng: random.Random) -> tuple[float, float]:
        """Seconds and epochs of a trial from an epoch to where it is stopped; it is set up again at each rung."""
        setup = self._setup_seconds(timing)
        if is_closed_form(timing.config):
            return (0.0, 0.0) if reached else (setup + timing.epoch_seconds, 1.0)
        ahead = [rung for rung in self.rungs if rung > reached]
        end = next((rung for rung in ahead if rng.random() > self.passing), self.max_epochs)
        setups = (reached == 0) + sum(rung < end for rung in ahead)
        return setups * setup + (end - reached) * timing.epoch_seconds, float(end - reached)

    def _setup_seconds(self, timing: Timing) -> float:
        """Set-up of a trial like this one: its own, or the model's median, as a gang's first trial imports modules."""
        alike = [t.setup_seconds for known in self.by_family.values() for t in known]
        return min(timing.setup_seconds, median(alike))


def _shared_seconds(known: Sequence[Timing]) -> float:
    """Seconds of shared work that a new trial of a family has to do, as often as those before it.

    The first trial does it for later ones; but a closed form's few parameters mostly say what its features are of.
    """
    paid = [timing.once_seconds for timing in known if timing.once_seconds > 0]
    again = len(paid) - (not is_closed_form(known[0].config))
    return max(0, again) / len(known) * fmean(paid) if paid else 0.0


def make_draws(trials: Sequence[KnownTrial], weights: Mapping[str, float], spec: SearchSpec) -> TrialDraws:
    """The draws of a search of `spec` with these trials, at least one."""
    rungs = pausing_epochs(spec.scheduler, spec.grace_epochs, spec.reduction_factor, spec.max_epochs)
    by_family: dict[str, list[Timing]] = {}
    passed, seen = PASS_TRIALS * min(1.0, PASS_SHARE / spec.reduction_factor), PASS_TRIALS
    for trial in trials:
        by_family.setdefault(trial.family, []).append(trial.timing)
        if not is_closed_form(trial.timing.config):
            passed += sum(trial.epoch > rung for rung in rungs)
            seen += sum(trial.epoch >= rung for rung in rungs)
    return TrialDraws(by_family, weights, passed / seen, rungs, spec.max_epochs)


def draw_rest(
    trials: Sequence[KnownTrial], draws: TrialDraws, spec: SearchSpec, slots: int, rng: random.Random,
    longest: float = float("inf"),
) -> RestOfSearch:  # fmt: skip
    """Draw what is left of a search, which ends after `longest` seconds if not before.

    Trials that run go on to where they are stopped; all that have not reported are new. A gang takes the next trial
    when its own has ended. Of very many trials `MOST_DRAWN` are drawn; the others are expected to cost as much.
    """
    running = [draws.go_on(trial.timing, trial.epoch, rng) for trial in trials if trial.is_running][:slots]
    left = max(0, spec.trials - len(trials))
    drawn = min(left, MOST_DRAWN)
    ends = [seconds for seconds, _ in running] + [0.0] * (slots - len(running))
    heapq.heapify(ends)
    last, inside, epochs = max(ends), 0, sum(more for _, more in running)
    for _ in range(drawn):
        if ends[0] >= longest:
            return RestOfSearch(longest, epochs, inside)
        seconds, more = draws.begin(rng)
        end = heapq.heapreplace(ends, ends[0] + seconds) + seconds
        last = max(last, end)
        if end <= longest:
            inside, epochs = inside + 1, epochs + more
    scale = min(left / drawn, max(1.0, longest / max(1e-9, last))) if drawn else 1.0
    return RestOfSearch(min(last * scale, longest), epochs * scale, round(inside * scale))
