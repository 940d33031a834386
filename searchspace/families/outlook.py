"""What a family's next trial is expected to reach and to cost, from what its trials have reached and cost."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from searchspace.families.beliefs import Belief, Estimate, expected_improvement
from searchspace.families.family import Family, FamilyChoice
from searchspace.families.learning_curve import Scale, extrapolate, fit_slope
from searchspace.families.trial_progress import TrialProgress

FAMILY_DEVIATION, ALIKE_DEVIATION = 0.7, 0.35
"""Standard deviation of the logarithms of families' errors around the mean of all families, and of those that learn
alike: a factor of two, and of 1.4."""
PRIOR_SPREAD, PRIOR_TRIALS = 0.25, 2.0
"""Standard deviation of the logarithms of errors within a family before it shows its own, and what that counts for."""


@dataclass(frozen=True)
class Effort:
    """How long trials are trained."""

    scale: Scale
    """How their scores are read."""
    rungs: tuple[int, ...]
    """Epochs at which trials pause; empty without early stopping."""
    factor: int
    """One trial in so many passes a rung."""
    timed: bool = True
    """Whether costs are seconds; else they are epochs, which do not depend on timing."""

    def expected_epochs(self, reached: int = 0) -> float:
        """Epochs that a trial with `reached` epochs is still trained on average."""
        ends, share, total = (*self.rungs, self.scale.max_epochs), 1.0, 0.0
        for begin, end in zip((0, *ends), ends, strict=False):
            if end > reached:
                total += share * (end - max(begin, reached))
                share /= self.factor
        return total


@dataclass(frozen=True)
class Outlook:
    """What the next trial of one family is expected to be."""

    family: Family
    belief: Belief
    """Its error."""
    seconds: float
    """Cost of a trial, on average over those that early stopping ends."""
    improvement: float
    """Expected improvement over the best score of all, times the chance that the trial does not fail."""
    spent: float
    """Seconds that the family's trials took so far, those in training by their expected cost."""
    left: float
    """Configurations that were not tried yet; infinite where a parameter is a number."""

    @property
    def rate(self) -> float:
        """Expected improvement a second."""
        return self.improvement / self.seconds if self.left > 0 else 0.0


def log_best(trials: Sequence[TrialProgress], scale: Scale) -> float | None:
    """Logarithm of the smallest error of all trials; None before the first score."""
    best = max((trial.best for trial in trials), default=-math.inf)
    return None if best == -math.inf else scale.log_error(best)


def estimate_outlooks(
    choices: Sequence[FamilyChoice], trials: Sequence[TrialProgress], effort: Effort
) -> list[Outlook]:
    """The outlook of each family, in the order of `choices`; a family without a score is believed to be an average one.

    Shrinkage is that of a normal hierarchical model (Gelman et al., Bayesian Data Analysis, chapter 5): the fewer
    trials a family has, the more it is believed to be like the others. Only the better half of a family's trials
    counts, since the sampler draws ever more like those.
    """
    own: dict[Family, list[TrialProgress]] = {choice.family: [] for choice in choices}
    for trial in trials:
        own.setdefault(trial.family, []).append(trial)
    estimates = {family: _estimates(members, effort) for family, members in own.items()}
    halves = {family: _better_half(found) for family, found in estimates.items() if found}
    means = {family: fmean(estimate.mean for estimate in half) for family, half in halves.items()}
    costs = {family: _seconds(members, effort) for family, members in own.items()}
    best = log_best(trials, effort.scale)
    return [
        _outlook(
            choice, own[choice.family], _posterior(halves.get(choice.family, []), _prior(choice.family, means)), best,
            costs[choice.family] or _guess(choice.family, costs), effort,
        )
        for choice in choices
    ]  # fmt: skip


def _outlook(
    choice: FamilyChoice, trials: Sequence[TrialProgress], belief: Belief, best: float | None, seconds: float,
    effort: Effort,
) -> Outlook:  # fmt: skip
    failed = sum(trial.failed for trial in trials)
    unscored = sum(not trial.epochs and not trial.failed for trial in trials)
    spent = sum(trial.seconds if effort.timed else float(trial.epoch) for trial in trials)
    improvement = 0.0 if best is None else expected_improvement(belief.mean, belief.deviation, best)
    return Outlook(
        family=choice.family, belief=belief, seconds=seconds,
        # Trials that run and say nothing yet may find the same improvement.
        improvement=improvement * (1 + len(trials) - failed) / (1 + len(trials)) / (1 + unscored),
        spent=spent + unscored * seconds, left=choice.size - len(trials),
    )  # fmt: skip


def _estimates(trials: Sequence[TrialProgress], effort: Effort) -> list[Estimate]:
    slope = fit_slope(trials, effort.scale)
    return [extrapolate(trial, slope, effort.scale) for trial in trials if trial.epochs]


def _better_half(found: Sequence[Estimate]) -> list[Estimate]:
    return sorted(found, key=lambda estimate: estimate.mean)[: -(-len(found) // 2)]


def _prior(family: Family, means: Mapping[Family, float]) -> Belief:
    """The belief about a family by the means of the others: those that learn alike, or all."""
    alike = [mean for other, mean in means.items() if other.learning == family.learning and other != family]
    if alike:
        return Belief(fmean(alike), ALIKE_DEVIATION, PRIOR_SPREAD)
    return Belief(fmean(means.values()) if means else 0.0, FAMILY_DEVIATION, PRIOR_SPREAD)


def _posterior(half: Sequence[Estimate], prior: Belief) -> Belief:
    """The belief about the next trial of a family with these estimates."""
    if not half:
        return prior
    center = fmean(estimate.mean for estimate in half)
    squares = sum((estimate.mean - center) ** 2 for estimate in half)
    spread = math.sqrt((PRIOR_TRIALS * PRIOR_SPREAD**2 + squares) / (PRIOR_TRIALS + len(half) - 1))
    weights = [1 / (spread**2 + estimate.variance) for estimate in half]
    precision = 1 / prior.mean_deviation**2 + sum(weights)
    weighted = sum(weight * estimate.mean for weight, estimate in zip(weights, half, strict=True))
    return Belief((prior.mean / prior.mean_deviation**2 + weighted) / precision, math.sqrt(1 / precision), spread)


def _seconds(trials: Sequence[TrialProgress], effort: Effort) -> float | None:
    """Average cost of a trial of a family; None before its first report.

    Shared work is paid once; where later trials pay again, as each wants features of its own, the next one may, too.
    """
    known = [trial for trial in trials if trial.epochs]
    if not known:
        return None
    at_once = known[0].epochs[0] == effort.scale.max_epochs  # without epochs, by solving a convex problem
    epochs = effort.scale.max_epochs if at_once else effort.expected_epochs()
    if not effort.timed:
        return 1.0 if at_once else epochs
    pace = median(trial.pace for trial in known)
    # A closed form's few parameters mostly choose what its features are of, so its next trial is believed to pay, too.
    again = max(0, sum(trial.shared > 0 for trial in known) - 1 + at_once) / len(known)
    return max(1e-6, pace * epochs + again * fmean(trial.shared for trial in known))


def _guess(family: Family, costs: Mapping[Family, float | None]) -> float:
    """Cost of a trial of a family that has reported nothing: as of trials learning alike, else as of the dearest."""
    known = {other: cost for other, cost in costs.items() if cost is not None}
    alike = [cost for other, cost in known.items() if other.learning == family.learning]
    return fmean(alike) if alike else max(known.values(), default=1.0)
