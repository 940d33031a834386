"""The search engine: it chooses the next trial, and decides after each report how a trial continues.

It knows neither Ray nor gangs. An executor (Ray Tune's, through `tune_adapter.py`, or the loop of a test) asks
`suggest` for assignments and hands every report to `on_report`. One trial may be suggested several times: a paused
trial that is promoted, and an interrupted one, resume from their checkpoints. The study has it once.
"""

import optuna
from optuna.trial import TrialState

from searchspace.budget.trial_costs import ReportTimes
from searchspace.engine.active_trials import ActiveTrial
from searchspace.engine.checkpoint_store import CheckpointStore
from searchspace.engine.convergence import Convergence, NeverEnds
from searchspace.engine.events import ENDS, EngineContext, TrialEvent
from searchspace.engine.family_chooser import FamilyChooser
from searchspace.engine.promotions import Promotions
from searchspace.engine.suggest import ConfigSuggester
from searchspace.finals.audit import choose_audited
from searchspace.spec import SearchSpec
from searchspace.stopping.rule import StoppingRule, recall
from searchspace.stopping.rung import RungStanding, observe
from searchspace.study.trial_attributes import (
    ENDED_EARLY,
    TIME_BUDGET,
    read_events,
    record_pace,
    record_paused,
    record_promoted,
    record_reason,
    record_report,
    record_stop,
)
from trainables.config import Assignment, Decision, EpochReport, TrialConfig, failure
from trainables.models.model_registry import learning_kind

MAX_ACTOR_LOSSES = 3
"""Trial actors that may die with one trial before it fails."""


class SearchEngine:
    """Ask and tell: the study has COMPLETE at full length only, PRUNED for stopped trials, FAIL with the reason."""

    def __init__(
        self,
        study: optuna.Study,
        suggester: ConfigSuggester,
        rule: StoppingRule,
        spec: SearchSpec,
        context: EngineContext,
        families: FamilyChooser | None = None,
    ) -> None:
        """Begin the search, or resume it as the study has it; `families` are those that `suggester` chooses among."""
        self._study, self._suggester, self._rule, self._spec = study, suggester, rule, spec
        self._context, self._families = context, families
        self._promotions = Promotions(rule, families, self._on_promoted)
        trials = study.get_trials(deepcopy=False)
        history = read_events(trials)
        recall(rule, history)
        self._order = max((event.order for event in history), default=-1)
        self._open = {trial.number: trial for trial in suggester.restore()}
        self._training: dict[str, ActiveTrial] = {}
        self._times = ReportTimes()
        self._interrupted: list[ActiveTrial] = []
        self._audits: list[ActiveTrial] | None = None
        finished = [trial for trial in trials if trial.state.is_finished()]
        self._checkpoints = CheckpointStore(spec.keep_gb, spec.home, finished)
        for trial in list(self._open.values()):
            self._restore(trial)
        self.lost = False
        """Whether the trial broker is lost, and the search with it."""
        self.convergence: Convergence = NeverEnds()
        """Whether the search ends early: no trial begins or is promoted then, and each epoch in training is a last."""

    @property
    def is_idle(self) -> bool:
        """Whether no trial is training; if `suggest` has nothing then, the search is over."""
        return not self._training

    @property
    def is_stopping(self) -> bool:
        """Whether the search is stopping: running epochs finish, and no trial starts."""
        return self.lost or self._context.should_stop()

    def suggest(self) -> Assignment | None:
        """The next trial to train; None while there is none, and for good once the engine is idle."""
        free = self._context.slots - len(self._training)
        if free <= 0 or self.is_stopping:
            return None
        trial = self._next()
        self._context.on_free(0 if trial else free)
        if trial is None:
            return None
        self._training[trial.name] = trial
        self._checkpoints.claim(trial.folder)
        return trial.next_assignment()

    def on_report(self, report: EpochReport) -> Decision:
        """Put a report into the study, once, and decide how its trial continues.

        PAUSE: the trial waits at a rung, and may be suggested again. STOP: it is over, or the search is stopping.
        """
        trial = self._training[report.trial]
        if trial.add(report):
            self._record(trial)
            if len(trial.curve) == 1:
                self._times.add(trial.kind, report, self._spec.max_epochs)
            if self._families is not None:
                self._families.hear(trial.number, trial.assignment.config, trial.curve)
            if report.status != "failed":
                self._notify(TrialEvent.EPOCH, trial)
            if not trial.audited:
                self.convergence.hear(trial, self._open.values(), self._spec.trials - self._suggester.suggested)
        decision = self._decide(trial, report)
        if decision is not Decision.CONTINUE:
            del self._training[trial.name]
        if report.status == "failed":
            self._rule.fail(trial.number, trial.kind)
        if report.status != "running":
            self._tell(trial, report.reason)
        elif decision is Decision.PAUSE:
            self._pause(trial)
            self._notify(TrialEvent.PAUSED, trial)
        return decision

    def _decide(self, trial: ActiveTrial, report: EpochReport) -> Decision:
        if report.status != "running":
            return Decision.STOP
        if not trial.audited and not self._rule.report(observe(trial.number, trial.kind, report)):
            return Decision.PAUSE
        rest = report.seconds * (self._spec.max_epochs - report.epoch)
        is_last = self.is_stopping or (self.convergence.has_ended and not trial.audited)
        if is_last or not self._context.has_time(report.seconds, rest):
            return Decision.STOP
        if report.epoch in trial.assignment.rungs and not self._promotions.pays(trial, self._suggester.is_done):
            self._promotions.hold(trial)
            return Decision.PAUSE
        return Decision.CONTINUE

    def on_lost(self, name: str) -> None:
        """Handle the death of a trial's actor: the trial is suggested again, at most `MAX_ACTOR_LOSSES` times.

        Where the broker is gone with it, the search is `lost`.
        """
        trial = self._training.pop(name, None)
        if trial is None:
            return
        trial.losses += 1
        self.lost = self.lost or not self._context.is_reachable()
        if self.lost:
            return
        if trial.losses <= MAX_ACTOR_LOSSES:
            self._interrupted.append(trial)
            return
        reason = f"its trial actor was lost {trial.losses} times"
        trial.curve.append(failure(trial.name, reason, trial.last.epoch if trial.curve else 0))
        self._record(trial)
        self._rule.fail(trial.number, trial.kind)
        self._tell(trial, reason)

    def end(self) -> None:
        """Close paused trials, and those that the time budget cut off: PRUNED where they stand."""
        self._suggester.close()
        self._training.clear()
        for trial in list(self._open.values()):
            if not trial.curve:
                self._discard(trial)
                continue
            standing = self._standing(trial)
            if not trial.audited:
                record_stop(trial.trial, standing)
            cut_off = ENDED_EARLY if self.convergence.has_ended else TIME_BUDGET
            self._tell(trial, trial.last.reason or (standing.describe() if standing else cut_off))

    def _next(self) -> ActiveTrial | None:
        if self.convergence.has_ended:
            return None if self._training and self._audits is None else self._next_audited()
        if self._interrupted:
            return self._interrupted.pop(0)
        if self._audits is not None:
            return self._next_audited()
        trial = self._promoted() or self._new()
        if trial is None and not self._training:
            self._rule.drain()
            trial = self._promoted() or self._next_audited()
        return trial

    def _promoted(self) -> ActiveTrial | None:
        trial = self._promotions.take(self._open, self._suggester.is_done)
        if trial is not None:
            record_paused(trial.trial, 0)
            self._notify(TrialEvent.RESUMED, trial)
        return trial

    def _on_promoted(self, trial: ActiveTrial) -> None:
        self._order += 1
        record_promoted(trial.trial, self._order, trial.last.epoch)

    def _new(self) -> ActiveTrial | None:
        if self._suggester.is_done or (self._training and not self._suggester.is_ready(self._context.slots)):
            return None
        trial = self._suggester.next_trial(self._has_time_for)
        if trial is not None:
            self._open[trial.number] = trial
            self._notify(TrialEvent.START, trial)
        return trial

    def _has_time_for(self, config: TrialConfig) -> bool:
        """Whether a trial of this configuration is expected to be of use before the search has to end."""
        return self._context.has_time(*self._times.expected(learning_kind(config)))

    def _next_audited(self) -> ActiveTrial | None:
        """A stopped trial that trains on to its full length for the audit; chosen when all other trials are over."""
        if self._audits is None:
            chosen = choose_audited(self._study, self._open, self._spec.audit, self._spec.seed)
            self._audits = [self._open[number] for number in chosen]
        if not self._audits:
            return None
        trial = self._audits.pop(0)
        record_stop(trial.trial, self._standing(trial), audited=True)
        trial.audit()
        self._notify(TrialEvent.AUDITED, trial)
        return trial

    def _restore(self, trial: ActiveTrial) -> None:
        """Find out where a trial of an earlier part of the search was when that ended: over, paused, or training."""
        if trial.curve and trial.last.status != "running":
            self._tell(trial, trial.last.reason)
        elif not trial.audited and self._rule.standing(trial.number) is not None:
            self._pause(trial)
        elif trial.waits and self._families is not None:
            self._promotions.hold(trial)
            self._pause(trial)
        else:
            self._interrupted.append(trial)

    def _standing(self, trial: ActiveTrial) -> RungStanding | None:
        """Where a paused trial stands: at its rung, or among all trials if its family did not pay."""
        return self._rule.standing(trial.number) or self._promotions.standing(trial)

    def _record(self, trial: ActiveTrial) -> None:
        self._order += 1
        record_report(trial.trial, self._order, trial.last)

    def _pause(self, trial: ActiveTrial) -> None:
        record_paused(trial.trial, trial.last.epoch)
        record_pace(trial.trial, trial.last)
        self._checkpoints.put(trial.folder, trial.last)

    def _discard(self, trial: ActiveTrial) -> None:
        """End a trial that the time budget cut off in its first epoch: it did not fail, and nothing is known of it."""
        del self._open[trial.number]
        record_reason(trial.trial, TIME_BUDGET)
        self._study.tell(trial.trial, state=TrialState.PRUNED)
        self._notify(TrialEvent.PRUNED, trial)

    def _tell(self, trial: ActiveTrial, reason: str) -> None:
        last = trial.last
        del self._open[trial.number]
        record_pace(trial.trial, last)
        if last.status == "complete":
            self._study.tell(trial.trial, last.score)
            self._checkpoints.put(trial.folder, last)
        else:
            record_reason(trial.trial, reason)
            self._study.tell(trial.trial, state=TrialState.FAIL if last.status == "failed" else TrialState.PRUNED)
        self._notify(ENDS[last.status], trial)

    def _notify(self, event: TrialEvent, trial: ActiveTrial) -> None:
        self._context.listener(event, trial.number, trial.curve[-1] if trial.curve else None)
