"""A search by the real engine, sampler and rules on slots whose training is a formula and whose clock is a number."""

import heapq
import itertools
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import optuna

from searchspace.engine.convergence import make_convergence
from searchspace.engine.events import EngineContext
from searchspace.engine.family_chooser import make_family_chooser
from searchspace.engine.search_engine import SearchEngine
from searchspace.engine.suggest import ConfigSuggester
from searchspace.sampling.samplers import make_sampler
from searchspace.spaces import Space, Task
from searchspace.spec import SearchSpec
from searchspace.stopping.rules import make_rule
from searchspace.stopping.rung import rungs
from trainables.config import Assignment, Decision, EpochReport, TrialConfig
from trainables.models.model_registry import is_closed_form


@dataclass(frozen=True)
class Training:
    """What the training of one configuration does."""

    scores: list[float]
    """After each epoch; of a closed form, one."""
    epoch_seconds: float
    """Seconds of one epoch."""
    features: Any = None
    """What its features are of, which trials share; None: it has none."""
    feature_seconds: float = 0.0
    """Seconds to compute them, once."""
    loss: float = 1.0
    """Validation loss after each epoch."""


Behaviour = Callable[[TrialConfig, random.Random], Training]
"""What training a configuration does, from a generator of its own."""


@dataclass(frozen=True)
class SimulatedEpoch:
    """One report of a simulated search."""

    time: float
    """Seconds since its start."""
    config: TrialConfig
    """What was trained."""
    score: float
    """The validation score."""
    full: bool
    """Whether the trial is at its full length."""


class Admit:
    """Admits every configuration."""

    def ready(self, _config: TrialConfig) -> bool:
        """At once."""
        return True

    def refuse(self, _trial: Any, _config: TrialConfig) -> None:
        """Nothing."""


@dataclass(frozen=True)
class Problem:
    """What a simulated search is of."""

    task: Task
    space: Space
    starts: list[dict[str, Any]]
    """Its first trials."""
    behaviour: Behaviour
    slots: int = 2


def simulate_search(
    spec: SearchSpec, problem: Problem, families: bool = True, seconds: float = math.inf,
    study: optuna.Study | None = None,
) -> Iterator[SimulatedEpoch]:  # fmt: skip
    """The reports of a search within so many `seconds`, in their order; a `study` with trials is resumed."""
    task, space, behaviour, slots = problem.task, problem.space, problem.behaviour, problem.slots
    sampler = make_sampler(spec, "tpe" if spec.sampler == "auto" else spec.sampler, (), slots)
    study = study or optuna.create_study(direction="maximize", sampler=sampler)
    for values in () if study.get_trials(deepcopy=False) else problem.starts:
        study.enqueue_trial(values)
    now = 0.0
    context = EngineContext(slots, lambda *_: None, allowance=lambda _phase: seconds - now)
    chooser = make_family_chooser(spec, space, task, study.get_trials(deepcopy=False), context) if families else None
    levels = rungs(spec.grace_epochs, spec.reduction_factor, spec.max_epochs)
    rule = make_rule(spec.scheduler, spec.budget_unit, levels, spec.reduction_factor)
    suggester = ConfigSuggester(study, space, task, spec, Admit(), chooser)
    engine = SearchEngine(study, suggester, rule, spec, context, chooser)
    engine.convergence = make_convergence(spec, task, study, context, rule, chooser)
    busy: list[tuple[float, int, Assignment, EpochReport]] = []
    order, cached, trained = itertools.count(), set[Any](), dict[str, float]()

    def begin(assignment: Assignment, after: int) -> None:
        training = behaviour(assignment.config, random.Random(assignment.seed))
        at_once = is_closed_form(assignment.config)
        epoch = assignment.max_epochs if at_once else after + 1
        shared = 0.0 if after or training.features is None or training.features in cached else training.feature_seconds
        cached.add(training.features)
        took = training.epoch_seconds + shared
        trained[assignment.trial] = trained.get(assignment.trial, 0.0) + took
        report = EpochReport(
            trial=assignment.trial, epoch=epoch, score=training.scores[0 if at_once else epoch - 1], seconds=took,
            total_seconds=trained[assignment.trial], shared_seconds=shared, val_loss=training.loss,
            status="complete" if epoch == assignment.max_epochs else "running",
        )  # fmt: skip
        heapq.heappush(busy, (now + took, next(order), assignment, report))

    def fill() -> None:
        while (assignment := engine.suggest()) is not None:
            begin(assignment, assignment.known)

    fill()
    while busy:
        now, _, assignment, report = heapq.heappop(busy)
        if now > seconds:
            return
        decision = engine.on_report(report)
        yield SimulatedEpoch(now, assignment.config, report.score, report.status == "complete")
        if decision is Decision.CONTINUE:
            begin(assignment, report.epoch)
        fill()
    engine.end()
