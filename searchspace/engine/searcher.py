"""The searcher: Ray Tune asks it for trials, and it tells the study truthfully what became of them.

A trial may come to Tune more than once: what waited at a rung and may go on, and what was interrupted, is suggested
again, and takes up its checkpoint on whatever gang is free. To the study it is one trial, told when it is over.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.trial import TrialState
from ray.tune.search import Searcher

from searchspace.engine.active_trials import Running
from searchspace.engine.checkpoint_store import Shelf
from searchspace.engine.suggest import Asker
from searchspace.finals.audit import choose_audited
from searchspace.spec import SearchSpec
from searchspace.stopping.rule import StoppingRule, recall
from searchspace.study.trial_attributes import (
    TIME_BUDGET,
    read_events,
    record_pace,
    record_paused,
    record_reason,
    record_report,
    record_resumed,
    record_stop,
)
from trainables.config import EpochReport, Status, failure

Event = Literal["start", "epoch", "waits", "goes on", "audited", "complete", "pruned", "failed"]
ENDS: dict[Status, Event] = {"complete": "complete", "running": "pruned", "failed": "failed"}
MAX_LOSSES = 3
"""Trial actors that one trial may outlive."""
Listener = Callable[[Event, int, EpochReport | None], None]


@dataclass(frozen=True)
class Surroundings:
    """What a search is run by."""

    slots: int
    """Trials at a time."""
    listener: Listener
    """Hears of every event, after the study has it."""
    is_asked_to_stop: Callable[[], bool] = lambda: False
    """Whether every trial is to end with its epoch."""
    is_reachable: Callable[[], bool] = lambda: True
    """Whether those are there who carry trials to the gangs."""
    let_go: Callable[[str, int], None] = lambda _trial, _epoch: None
    """Hears of a trial that is not to be trained beyond an epoch for now; Tune may keep its actor, and tell nobody."""


class StudySearcher(Searcher):
    """Ask and tell: COMPLETE only at full length, PRUNED where it was held back for good, FAIL with the reason."""

    def __init__(
        self, study: optuna.Study, asker: Asker, rule: StoppingRule, spec: SearchSpec, around: Surroundings
    ) -> None:
        """Take the search up where the study has it."""
        super().__init__(metric="objective_value", mode="max")
        self._study, self._asker, self._rule, self._spec = study, asker, rule, spec
        self._slots, self._listen, self._around = around.slots, around.listener, around
        trials = study.get_trials(deepcopy=False)
        history = read_events(trials)
        recall(rule, history)
        self._order = max((event.order for event in history), default=-1)
        self._open = {running.trial.number: running for running in asker.take_up()}
        self._interrupted: list[int] = []
        self._training: dict[str, int] = {}
        self._audited: list[int] | None = None
        self._shelf = Shelf(spec.keep_gb, spec.home, [t for t in trials if t.state.is_finished()])
        for running in list(self._open.values()):
            self._settle(running)
        self.lost = False
        """Whether whoever carries the trials to the gangs is gone."""

    def suggest(self, trial_id: str) -> Any:
        """The next trial to train as Tune's config; None while there is none, `FINISHED` when there will be none."""
        if len(self._training) >= self._slots:
            return None
        running = None if self.is_stopping() else self._next()
        if running is None:
            return None if self._training else Searcher.FINISHED
        self._training[trial_id] = running.trial.number
        self._shelf.take(Path(running.assignment.folder))
        config = {"trial": running.trial.number, "audited": running.audited, "kind": running.kind}
        return config | {"assignment": running.next_go().model_dump_json()}

    def is_stopping(self) -> bool:
        """Whether trials are to end with their epochs, and no others to begin."""
        return self.lost or self._around.is_asked_to_stop()

    def _next(self) -> Running | None:
        if self._interrupted:
            return self._open[self._interrupted.pop(0)]
        if self._audited is not None:
            return self._next_audited()
        running = self._promoted() or self._new()
        if running is None and not self._training:
            self._rule.drain()
            running = self._promoted() or self._next_audited()
        return running

    def _promoted(self) -> Running | None:
        while (number := self._rule.promote()) is not None:
            if number in self._open:  # and not over since, in an earlier part of a search that was extended
                running = self._open[number]
                self._order += 1
                record_resumed(running.trial, self._order, running.last.epoch)
                self._listen("goes on", number, running.last)
                return running
        return None

    def _new(self) -> Running | None:
        if self._asker.done or (self._training and not self._asker.is_ready(self._slots)):
            return None
        running = self._asker.ask()
        if running is not None:
            self._open[running.trial.number] = running
            self._listen("start", running.trial.number, None)
        return running

    def _next_audited(self) -> Running | None:
        """One of those that run on to the end although they were held back; drawn when all else is done."""
        if self._audited is None:
            self._audited = self._choose_audited()
        if not self._audited:
            return None
        running = self._open[self._audited.pop(0)]
        number = running.trial.number
        record_stop(running.trial, self._rule.standing(number), audited=True)
        running.assignment = running.assignment.model_copy(update={"rungs": ()})
        running.audited = True
        self._listen("audited", number, running.last)
        return running

    def _choose_audited(self) -> list[int]:
        """Those of the stopped trials that are to be audited and are not yet."""
        done = [t.number for t in self._study.get_trials(deepcopy=False) if t.user_attrs.get("audited")]
        chosen = choose_audited([*self._open, *done], self._spec.audit, self._spec.seed)
        return [number for number in chosen if number not in done]

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Put one epoch into the study, once."""
        running = self._open[self._training[trial_id]]
        report = EpochReport.model_validate_json(result["report"])
        if running.take(report):
            self._record(running)
            if report.status != "failed":
                self._listen("epoch", running.trial.number, report)

    def _record(self, running: Running) -> None:
        self._order += 1
        record_report(running.trial, self._order, running.last)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Hear that Tune is through with a trial: it is over, or it waits."""
        if result is not None and "report" in result:
            self.on_trial_result(trial_id, result)
        running = self._open[self._training.pop(trial_id)]
        number = running.trial.number
        if running.curve:
            self._around.let_go(running.assignment.trial, running.last.epoch)
        if error:
            self._lose(running)
        elif running.last.status != "running":
            if running.last.status == "failed":
                self._rule.fail(number, running.kind)
            self._tell(running, running.last.reason)
        elif self._waits(running):
            self._put_aside(running)
            self._listen("waits", number, running.last)

    def _settle(self, running: Running) -> None:
        """Find out where a trial of an earlier part of the search was when that ended: over, waiting, or on its way."""
        if running.curve and running.last.status != "running":
            self._tell(running, running.last.reason)
        elif self._waits(running):
            self._put_aside(running)
        else:
            self._interrupted.append(running.trial.number)

    def _waits(self, running: Running) -> bool:
        return not running.audited and self._rule.standing(running.trial.number) is not None

    def _put_aside(self, running: Running) -> None:
        record_paused(running.trial, running.last.epoch)
        record_pace(running.trial, running.last)
        self._shelf.put(Path(running.assignment.folder), running.last)

    def _lose(self, running: Running) -> None:
        """A trial's actor died: another takes the trial up, unless nobody can, or it was not the first."""
        running.losses += 1
        self.lost = self.lost or not self._around.is_reachable()
        if self.lost:
            return
        if running.losses <= MAX_LOSSES:
            self._interrupted.append(running.trial.number)
        else:
            self._fail(running, f"its trial actor was lost {running.losses} times")
            self._rule.fail(running.trial.number, running.kind)
            self._tell(running, running.last.reason)

    def end(self) -> None:
        """Close what was held back for good, and what a time budget cut off: PRUNED where they stand."""
        self._asker.close()
        self._training.clear()
        for running in list(self._open.values()):
            if not running.curve:
                self._leave(running)
                continue
            standing = self._rule.standing(running.trial.number)
            if not running.audited:
                record_stop(running.trial, standing)
            self._tell(running, running.last.reason or (standing.describe() if standing else TIME_BUDGET))

    def _leave(self, running: Running) -> None:
        """Stop a trial that the time budget cut off in its first epoch: nothing failed, and nothing is known of it."""
        del self._open[running.trial.number]
        record_reason(running.trial, TIME_BUDGET)
        self._study.tell(running.trial, state=TrialState.PRUNED)
        self._listen("pruned", running.trial.number, None)

    def _fail(self, running: Running, reason: str) -> None:
        running.curve.append(failure(running.assignment.trial, reason, running.last.epoch if running.curve else 0))
        self._record(running)

    def _tell(self, running: Running, reason: str) -> None:
        trial, last = running.trial, running.last
        del self._open[trial.number]
        record_pace(trial, last)
        if last.status == "complete":
            self._study.tell(trial, last.score)
            self._shelf.put(Path(running.assignment.folder), last)
        else:
            record_reason(trial, reason)
            self._study.tell(trial, state=TrialState.FAIL if last.status == "failed" else TrialState.PRUNED)
        self._listen(ENDS[last.status], trial.number, last)

    def __getstate__(self) -> dict[str, Any]:
        """Nothing, for Tune's own record of the search, which nobody reads: the study is the memory."""
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the study is the memory."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the study is the memory."""
