"""What a search knows of its families while it runs, and what its next trials are expected to pay."""

import math
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from optuna.trial import FrozenTrial

from searchspace.budget.allowance import Phase, unlimited
from searchspace.engine.assignments import derive_seed
from searchspace.engine.events import EngineContext
from searchspace.families.beliefs import Estimate, expected_improvement, normal_cdf
from searchspace.families.choose import ChosenFamily, choose_family
from searchspace.families.enumerate_families import enumerate_families
from searchspace.families.family import Family, FamilyChoice, family_of
from searchspace.families.learning_curve import Scale, Slope, extrapolate, fit_slope
from searchspace.families.outlook import Effort, Outlook, estimate_outlooks
from searchspace.families.trial_progress import TrialProgress, progress_of
from searchspace.sampling.samplers import count_hidden_trials
from searchspace.spaces import Space, Task
from searchspace.spec import SearchSpec
from searchspace.stopping.rules import pausing_epochs
from searchspace.study.refusals import is_refused
from searchspace.study.trial_attributes import is_revived, read_config, read_curve
from trainables.config import EpochReport, TrialConfig
from trainables.metrics.metric_registry import METRICS

MAX_REFUSALS = 40
"""Refused configurations of a family in a row after which it counts as exhausted."""
MAX_SEEN = 128
"""Newest trials of a family that it is judged by, so that the time of a choice is bounded."""
ALL_TRIALS = Family("all", "all trials")
"""The one family of a search without a choice."""


def make_family_chooser(
    spec: SearchSpec,
    space: Space,
    task: Task,
    trials: Sequence[FrozenTrial],
    context: EngineContext | None = None,
) -> "FamilyChooser | None":
    """The chooser of a search with these `trials`; None where there is no choice.

    Random draws are independent of what was earned, and a trade-off with latency has no one incumbent: there, and
    without a `context`, it only keeps the search from families whose configurations were all tried.
    """
    if spec.space and len(task.models) < 2:
        return None
    choices = [each for each in enumerate_families(space, task, spec) if _is_offered(each, trials)]
    if len(choices) < 2:
        return None
    hidden = count_hidden_trials(context.slots) if context and spec.reproducible else 0
    by_earning = context is not None and spec.sampler != "random" and "latency" not in spec.objectives
    rules = ChoiceRules(spec.seed, by_earning, hidden, spec.grace_epochs)
    allowance = context.allowance if context else unlimited
    chooser = FamilyChooser(choices, _make_effort(spec, task), rules, lambda: allowance(Phase.SEARCH))
    return _with_history(chooser, trials)


def make_pooled_chooser(
    spec: SearchSpec, task: Task, trials: Sequence[FrozenTrial], context: EngineContext
) -> "FamilyChooser":
    """What a search without a choice between families knows of its `trials`: they are one family."""
    rules = ChoiceRules(spec.seed, by_earning=False, hidden=0, first_rung=spec.grace_epochs)
    seconds_left = partial(context.allowance, Phase.SEARCH)
    effort, choices = _make_effort(spec, task), [FamilyChoice(ALL_TRIALS, {})]
    return _with_history(FamilyChooser(choices, effort, rules, seconds_left, lambda _config: ALL_TRIALS), trials)


def _make_effort(spec: SearchSpec, task: Task) -> Effort:
    scale = Scale(METRICS[spec.metric].bounds[1], task.data.val, spec.max_epochs)
    rungs = pausing_epochs(spec.scheduler, spec.grace_epochs, spec.reduction_factor, spec.max_epochs)
    return Effort(scale, rungs, spec.reduction_factor, timed=not spec.reproducible)


def _with_history(chooser: "FamilyChooser", trials: Sequence[FrozenTrial]) -> "FamilyChooser":
    """The chooser, once it has heard of the trials of earlier parts of the search."""
    for trial in trials:
        if "config" in trial.user_attrs and not is_refused(trial) and not is_revived(trial):
            chooser.hear(trial.number, read_config(trial), read_curve(trial))
    return chooser


def _is_offered(choice: FamilyChoice, trials: Sequence[FrozenTrial]) -> bool:
    """Whether the study has a family's choices; a search that is resumed keeps those with which it was begun."""
    recorded = {name: getattr(each, "choices", ()) for trial in trials for name, each in trial.distributions.items()}
    return all(name not in recorded or value in recorded[name] for name, value in choice.fixed.items())


@dataclass(frozen=True)
class ChoiceRules:
    """How a search chooses families."""

    seed: int
    """Seed of what is random in it."""
    by_earning: bool
    """Whether families are chosen by what they earn; else none is, while all have configurations left."""
    hidden: int
    """Newest trials that a choice must not depend on; 0: it may depend on timing."""
    first_rung: int
    """Epochs up to which scores do not depend on timing."""


class FamilyChooser:
    """Hears of all trials, and chooses families.

    Of a reproducible search, a choice depends on nothing that depends on timing: on the scores at the first rung of
    all but the newest trials, and on epochs as costs.
    """

    def __init__(
        self, choices: Sequence[FamilyChoice], effort: Effort, rules: ChoiceRules, seconds_left: Callable[[], float],
        classify: Callable[[TrialConfig], Family] = family_of,
    ) -> None:  # fmt: skip
        """Choose among `choices`; `seconds_left` says what a search may still take, `classify` what is of a family."""
        self._choices = {choice.family: choice for choice in choices}
        self.effort = effort
        """How long trials are trained."""
        self._rules, self._seconds_left, self._classify = rules, seconds_left, classify
        self._trials: dict[int, TrialProgress] = {}
        self._numbers: dict[Family, list[int]] = {family: [] for family in self._choices}
        self._refused: Counter[Family] = Counter()
        self._tried: set[TrialConfig] = set()
        self._best = -math.inf
        self._held: set[int] = set()
        self._outlooks: list[Outlook] | None = None
        self._slopes: dict[Family, Slope] = {}

    def hear(self, number: int, config: TrialConfig, curve: Sequence[EpochReport]) -> None:
        """Hear that a trial begins, or of its reports so far."""
        family = self._classify(config)
        if number not in self._trials:
            self._numbers.setdefault(family, []).append(number)
            self._refused[family] = 0
        self._trials[number] = progress_of(family, curve)
        self._tried.add(config)
        self._best = max(self._best, self._trials[number].best)
        self._outlooks = None
        self._slopes.pop(family, None)

    def hold(self, number: int, held: bool = True) -> None:
        """Hear that a trial is held at its rung, or no longer."""
        (self._held.add if held else self._held.discard)(number)

    def refuse(self, config: TrialConfig) -> None:
        """Hear that a configuration is not trained."""
        self._refused[self._classify(config)] += 1
        self._tried.add(config)
        self._outlooks = None

    def choose(self, number: int) -> Mapping[str, Any]:
        """Parameters of the family from which trial `number` is drawn; none where any will do.

        Of a family of few configurations, all parameters of one that was not tried.
        """
        rng = random.Random(derive_seed(self._rules.seed, "family", number))  # noqa: S311  # no secret
        family = self._family_of_next(number, rng)
        if family is None:
            return {}
        choice = self._choices[family]
        untried = [params for config, params in (choice.grid or {}).items() if config not in self._tried]
        return rng.choice(untried) if untried else choice.fixed

    def _family_of_next(self, number: int, rng: random.Random) -> Family | None:
        if not self._rules.by_earning:
            able = [family for family in self._choices if self._left(family) > 0]
            return rng.choice(able) if 0 < len(able) < len(self._choices) else None
        chosen = choose_family(self._estimate(number - self._rules.hidden)) if self._rules.hidden else self.chosen
        return chosen.family if chosen else None

    def _steps(self) -> dict[Family, float]:
        """What training the best held trial of each family to its next rung costs."""
        best: dict[Family, int] = {}
        for number in sorted(self._held, key=self.rate):
            best[self.family(number)] = number
        return {family: self._step(self._trials[number]) for family, number in best.items()}

    def _step(self, trial: TrialProgress) -> float:
        ends = (*self.effort.rungs, self.effort.scale.max_epochs)
        epochs = next((end for end in ends if end > trial.epoch), trial.epoch) - trial.epoch
        return trial.pace * epochs if self.effort.timed else float(epochs)

    def _left(self, family: Family) -> float:
        """Configurations of a family that were not tried; 0 where too many in a row were refused."""
        grid = self._choices[family].grid
        if grid is not None:
            return len(grid.keys() - self._tried)
        return math.inf if self._refused[family] < MAX_REFUSALS else 0.0

    @property
    def by_earning(self) -> bool:
        """Whether families are chosen by what they earn."""
        return self._rules.by_earning

    @property
    def outlooks(self) -> list[Outlook]:
        """What the next trial of each family is expected to be, by all that is known."""
        if self._outlooks is None:
            self._outlooks = self._estimate()
        return self._outlooks

    @property
    def chosen(self) -> ChosenFamily | None:
        """The family that is due by all that is known; None where all are exhausted."""
        return choose_family(self.outlooks, self._seconds_left(), self._steps())

    def family(self, number: int) -> Family:
        """The family of a trial."""
        return self._trials[number].family

    @property
    def log_best(self) -> float | None:
        """Logarithm of the smallest error so far; None before the first score."""
        return None if self._best == -math.inf else self.effort.scale.log_error(self._best)

    def estimate(self, number: int) -> Estimate | None:
        """The belief about a trial's error at its full length; None before its first score."""
        trial = self._trials[number]
        if not trial.epochs:
            return None
        if trial.family not in self._slopes:
            own = [self._trials[each] for each in self._numbers[trial.family][-MAX_SEEN:]]
            self._slopes[trial.family] = fit_slope(own, self.effort.scale)
        return extrapolate(trial, self._slopes[trial.family], self.effort.scale)

    def rate(self, number: int) -> float:
        """Expected improvement a second of training a trial on."""
        found, best, trial = self.estimate(number), self.log_best, self._trials[number]
        if found is None or best is None:
            return math.inf
        seconds = max(1e-6, trial.pace * self.effort.expected_epochs(trial.epoch))
        return expected_improvement(found.mean, math.sqrt(found.variance), best) / seconds

    def chance(self, number: int) -> float:
        """Chance that a trial that is trained on ends with the smallest error."""
        found, best = self.estimate(number), self.log_best
        if found is None or best is None:
            return 1.0
        return normal_cdf((best - found.mean) / math.sqrt(max(found.variance, 1e-12)))

    def best_scores(self) -> list[float]:
        """Best score of each trial that has any."""
        return [trial.best for trial in self._trials.values() if trial.epochs]

    def _estimate(self, below: float = math.inf) -> list[Outlook]:
        """The outlooks by the trials numbered `below`; a family may have none left, all tried or refused."""
        shown = list[TrialProgress]()
        for numbers in self._numbers.values():
            known = [self._trials[number] for number in sorted(numbers) if number < below]
            shown += [t if below == math.inf else self._until_first_rung(t) for t in known[-MAX_SEEN:]]
        found = estimate_outlooks(list(self._choices.values()), shown, self.effort)
        return [replace(each, left=self._left(each.family)) for each in found]

    def _until_first_rung(self, trial: TrialProgress) -> TrialProgress:
        """What does not depend on timing: the scores up to the first rung, or the only one of a closed form."""
        rung, full = self._rules.first_rung, self.effort.scale.max_epochs
        count = 1 if trial.epochs == (full,) else sum(epoch <= rung for epoch in trial.epochs)
        failed = trial.failed and rung not in trial.epochs
        return replace(trial, epochs=trial.epochs[:count], scores=trial.scores[:count], failed=failed)
