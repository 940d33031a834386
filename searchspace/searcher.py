"""The searcher: Ray Tune asks it for trials, and it tells the study truthfully what became of them.

A trial may come to Tune more than once: what waited at a rung and may go on is suggested again, and takes up its
checkpoint on whatever gang is free. To the study it is one trial, told when it is over.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.trial import TrialState
from ray.tune.search import Searcher

from searchspace.asking import Asker
from searchspace.proof.audit import choose_audited
from searchspace.retention import Shelf
from searchspace.running import Running
from searchspace.spec import SearchSpec
from searchspace.stopping.rule import Rule
from searchspace.study import record_curve, record_stop, record_waiting
from trainables.config import EpochReport, Status, failure

Event = Literal["start", "epoch", "waits", "goes on", "audited", "complete", "pruned", "failed"]
ENDS: dict[Status, Event] = {"complete": "complete", "running": "pruned", "failed": "failed"}
Listener = Callable[[Event, int, EpochReport | None], None]


class StudySearcher(Searcher):
    """Ask and tell: COMPLETE only at full length, PRUNED where it was held back for good, FAIL with the reason."""

    def __init__(
        self, study: optuna.Study, asker: Asker, rule: Rule, spec: SearchSpec, slots: int, listener: Listener
    ) -> None:
        """Keep `slots` trials running; `listener` hears of every event, after the study has it."""
        super().__init__(metric="merit", mode="max")
        self._study, self._asker, self._rule, self._spec = study, asker, rule, spec
        self._slots, self._listen = slots, listener
        self._open: dict[int, Running] = {}
        self._training: dict[str, int] = {}
        self._audited: list[int] | None = None
        self._shelf = Shelf(spec.keep_gb)

    def suggest(self, trial_id: str) -> Any:
        """The next trial to train as Tune's config; None while there is none, `FINISHED` when there will be none."""
        if len(self._training) >= self._slots:
            return None
        running = self._next()
        if running is None:
            return None if self._training else Searcher.FINISHED
        self._training[trial_id] = running.trial.number
        self._shelf.take(Path(running.assignment.folder))
        config = {"trial": running.trial.number, "audited": running.audited, "kind": running.kind}
        return config | {"assignment": running.assignment.model_dump_json()}

    def _next(self) -> Running | None:
        if self._audited is not None:
            return self._next_audited()
        running = self._promoted() or self._new()
        if running is None and not self._training:
            self._rule.drain()
            running = self._promoted() or self._next_audited()
        return running

    def _promoted(self) -> Running | None:
        number = self._rule.promote()
        if number is None:
            return None
        record_waiting(self._open[number].trial, 0)
        self._listen("goes on", number, self._open[number].last)
        return self._open[number]

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
            self._audited = choose_audited(list(self._open), self._spec.audit, self._spec.seed)
        if not self._audited:
            return None
        running = self._open[self._audited.pop(0)]
        number = running.trial.number
        record_stop(running.trial, self._rule.standing(number), audited=True)
        running.assignment = running.assignment.model_copy(update={"rungs": ()})
        running.audited = True
        self._listen("audited", number, running.last)
        return running

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Put one epoch into the study, once."""
        running = self._open[self._training[trial_id]]
        report = EpochReport.model_validate_json(result["report"])
        if running.take(report) and report.status != "failed":
            running.trial.report(report.score, report.epoch)
            self._listen("epoch", running.trial.number, report)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Hear that Tune is through with a trial: it is over, or it waits."""
        if result is not None and "report" in result:
            self.on_trial_result(trial_id, result)
        running = self._open[self._training.pop(trial_id)]
        if error or not running.curve:
            self._fail(running, "its trial actor was lost")
        if running.last.status == "failed":
            self._rule.fail(running.trial.number, running.kind)
        if running.last.status == "running":
            record_waiting(running.trial, running.last.epoch)
            record_curve(running.trial, running.curve)
            self._shelf.put(Path(running.assignment.folder), running.last)
            self._listen("waits", running.trial.number, running.last)
        else:
            self._tell(running, running.last.reason)

    def end(self) -> None:
        """Close what was held back for good, and what a time budget cut off: PRUNED where they stand."""
        self._asker.close()
        self._training.clear()
        for running in list(self._open.values()):
            if not running.curve:
                self._fail(running, "time budget")
            standing = self._rule.standing(running.trial.number)
            if not running.audited:
                record_stop(running.trial, standing)
            self._tell(running, running.last.reason or (standing.in_words() if standing else "time budget"))

    def _fail(self, running: Running, reason: str) -> None:
        running.curve.append(failure(running.assignment.trial, reason, running.last.epoch if running.curve else 0))

    def _tell(self, running: Running, reason: str) -> None:
        trial, last = running.trial, running.last
        del self._open[trial.number]
        record_curve(trial, running.curve, reason)
        if last.status == "complete":
            self._study.tell(trial, last.score)
        else:
            self._study.tell(trial, state=TrialState.FAIL if last.status == "failed" else TrialState.PRUNED)
        self._listen(ENDS[last.status], trial.number, last)

    def __getstate__(self) -> dict[str, Any]:
        """Nothing, for Tune's own record of the search, which nobody reads: the study is the memory."""
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the study is the memory."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the study is the memory."""
