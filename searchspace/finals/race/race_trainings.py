"""The trainings of a race: what `next_trainings` decides is given to the gangs, and what ended is read and compared."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial

from searchspace.budget.allowance import Allowance, Phase
from searchspace.engine.assignments import final_assignments
from searchspace.finals.baseline import is_probe
from searchspace.finals.final_trainings import CollectedPredictions, FinalTraining, collect_predictions
from searchspace.finals.finalist import Finalist
from searchspace.finals.race.next_trainings import (
    Entrant,
    RaceStanding,
    goal_of,
    is_needed,
    next_entrants,
    read_standing_of,
)
from searchspace.finals.select_winner import FinalistPredictions, RaceDesign, select_winner
from searchspace.spec import SearchSpec
from searchspace.study.study import read_study_attribute, write_study_attribute
from searchspace.study.trial_attributes import read_config, read_curve
from trainables.config import Assignment, EpochReport
from trainables.data.finals_validation import FinalsValidation
from trainables.metrics.metric_registry import MetricName
from trainables.models.model_registry import is_closed_form
from trainables.storage.files import is_file


@dataclass(frozen=True)
class FinalistPlan:
    """A finalist and the trainings that it can have."""

    trial: FrozenTrial
    """Its trial."""
    units: tuple[tuple[Assignment, ...], ...]
    """One for each seed, of one assignment; with folds one for each repetition, of an assignment a fold."""
    seconds: float
    """Expected duration of one assignment."""

    @classmethod
    def of(cls, spec: SearchSpec, trial: FrozenTrial) -> "FinalistPlan":
        """What a finalist can be given: one training of a closed-form head, else one from each seed."""
        config = read_config(trial)
        tasks, size = final_assignments(spec, trial.number, config), max(1, spec.folds)
        units = [tuple(tasks[start : start + size]) for start in range(0, len(tasks), size)]
        return cls(trial, tuple(units[:1] if is_closed_form(config) else units), expected_seconds(spec, trial))

    @property
    def is_deterministic(self) -> bool:
        """Whether no seed changes anything."""
        return is_closed_form(self.units[0][0].config)


class RaceTrainings:
    """The assignments of one search's finals, chosen as the race goes on; an `AssignmentSource`."""

    def __init__(
        self, spec: SearchSpec, study: optuna.Study, plans: Sequence[FinalistPlan], validation: FinalsValidation,
        allowance: Allowance,
    ) -> None:  # fmt: skip
        """Begin the race of the finalists in `plans`, by search score, or go on with what was recorded of it."""
        self._study, self._plans, self._validation, self._allowance = study, plans, validation, allowance
        self._metric = spec.metric
        self.design = RaceDesign(spec.final_seeds, len(plans) + spec.ensemble, validation.source != "reused")
        tasks = [task for plan in plans for unit in plan.units for task in unit]
        self._reports = {task.trial: report for task in tasks if (report := _recorded_report(study, task))}
        self._recorded = frozenset(self._reports)
        self._queue: list[Assignment] = []
        self._running: frozenset[str] = frozenset()
        self._standing = RaceStanding()
        self._update()

    def next_assignments(self, running: Collection[str], free: int) -> Sequence[Assignment]:
        """What the race needs next; of a repetition's folds, those that found no slot before come first."""
        self._running = frozenset(running)
        while len(self._queue) < free:
            waiting = {task.trial for task in self._queue}
            entrants = self._entrants(self._running | waiting)
            chosen = next_entrants(entrants, self._standing, self._allowance(Phase.FINALS))
            if not chosen:
                break
            plan = next(plan for plan in self._plans if plan.trial.number == chosen[0])
            self._queue += self._next_unit(plan, self._running | waiting)
        taken, self._queue = self._queue[:free], self._queue[free:]
        self._running |= {task.trial for task in taken}
        return taken

    def is_needed(self, trial: str) -> bool:
        """Whether a training can still change the result, and its time is not over."""
        plan = next(p for p in self._plans if any(task.trial == trial for unit in p.units for task in unit))
        is_over = self._allowance(Phase.FINALS) <= 0 and self._standing.leader is not None
        return not is_over and is_needed(plan.trial.number, self._entrants(self._running), self._standing)

    def record(self, report: EpochReport) -> None:
        """Record the last report of a training, and compare the finalists again."""
        self._reports[report.trial] = report
        self._running -= {report.trial}
        write_study_attribute(self._study, report.trial, report.model_dump())
        self._update()

    @property
    def trainings(self) -> list[FinalTraining]:
        """The trainings that ended, with folds those of whole repetitions."""
        return [
            FinalTraining(
                plan.trial, task.fold.repeat if task.fold else plan.units.index(unit), task, self._reports[task.trial],
                len(plan.units), plan.is_deterministic, is_probe(plan.trial),
            )
            for plan in self._plans
            for unit in plan.units
            if all(task.trial in self._reports for task in unit)
            for task in unit
        ]  # fmt: skip

    @property
    def begun(self) -> frozenset[int]:
        """Finalists of which a training ended."""
        return frozenset(training.trial.number for training in self.trainings)

    @property
    def assignments(self) -> list[Assignment]:
        """All that could have been trained."""
        return [task for plan in self._plans for unit in plan.units for task in unit]

    def remaining(self) -> int:
        """Trainings that will end after those that were recorded when the race began, as far as is known."""
        entrants = self._entrants(self._running)
        size = len(self._plans[0].units[0])
        wanted = sum(max(each.begun, goal_of(each, entrants, self._standing)) for each in entrants) * size
        return max(wanted - len(self._recorded), len(self._reports) - len(self._recorded) + len(self._running))

    def _update(self) -> None:
        """Compare the finalists by what ended."""
        found = collect_predictions(self.trainings, self._validation)
        if found.contenders:
            self._standing = _compare(self._metric, found, self.design)

    def _entrants(self, running: frozenset[str]) -> list[Entrant]:
        return [self._entrant(plan, running) for plan in self._plans]

    def _entrant(self, plan: FinalistPlan, running: frozenset[str]) -> Entrant:
        ended = [unit for unit in plan.units if all(task.trial in self._reports for task in unit)]
        failed = sum(any(self._reports[task.trial].status == "failed" for task in unit) for unit in ended)
        return Entrant(
            plan.trial.number, len(plan.units), plan.seconds * len(plan.units[0]), len(ended) - failed, failed,
            sum(any(task.trial in running for task in unit) for unit in plan.units if unit not in ended),
            plan.is_deterministic,
        )  # fmt: skip

    def _next_unit(self, plan: FinalistPlan, running: frozenset[str]) -> list[Assignment]:
        """What is left of the first unit that has neither ended nor begun."""
        for unit in plan.units:
            left = [task for task in unit if task.trial not in self._reports]
            if left and not any(task.trial in running for task in unit):
                return left
        raise ValueError(f"finalist {plan.trial.number}: all of its {len(plan.units)} trainings have begun")


def _compare(metric: MetricName, found: CollectedPredictions, design: RaceDesign) -> RaceStanding:
    def select(contenders: Sequence[FinalistPredictions]) -> tuple[Finalist, ...]:
        return select_winner(metric, contenders, found.labels, found.folds, found.weights, design)

    agreeing = [replace(contender, deterministic=True) for contender in found.contenders]
    return read_standing_of(select(found.contenders), select(agreeing))


def _recorded_report(study: optuna.Study, task: Assignment) -> EpochReport | None:
    """The last report of a final that ended in an earlier part of the search; None if it has to be trained."""
    from trainables.metrics.predictions import VALIDATION_PREDICTIONS

    found = read_study_attribute(study, task.trial)
    report = EpochReport.model_validate(found) if found else None
    has_predictions = is_file(Path(task.folder) / VALIDATION_PREDICTIONS)
    return report if report and (has_predictions or report.status == "failed") else None


def expected_seconds(spec: SearchSpec, trial: FrozenTrial) -> float:
    """Seconds of a training of a trial's configuration to its full length, by what the trial itself took.

    Without the work that later trials save. The finals have as many training images as the search.
    """
    curve = read_curve(trial)
    if not curve:
        return 0.0
    setup = sum(report.setup_seconds for report in curve)
    epochs = max(0.0, curve[-1].total_seconds - setup) / max(1, curve[-1].epoch)
    shared = sum(report.shared_seconds for report in curve)
    return max(0.0, setup - shared) + epochs * spec.max_epochs
