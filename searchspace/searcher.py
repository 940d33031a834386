"""The searcher: Ray Tune asks it for trials, and it tells the study truthfully what became of them."""

from collections.abc import Callable
from typing import Any, Literal

import optuna
from optuna.trial import TrialState
from ray.tune.search import Searcher

from searchspace.scheduler import rungs
from searchspace.seeds import derive_seed
from searchspace.spaces import Space, Task, draw_config
from searchspace.spec import SearchSpec
from searchspace.study import record_config, record_curve
from trainables.config import Assignment, EpochReport, Status, TrialConfig, failure

Event = Literal["start", "epoch", "complete", "pruned", "failed"]
ENDS: dict[Status, Event] = {"complete": "complete", "running": "pruned", "failed": "failed"}
Listener = Callable[[Event, int, EpochReport | None], None]


class StudySearcher(Searcher):
    """Ask and tell: COMPLETE only at full length, PRUNED when ASHA stopped it, FAIL with the reason."""

    def __init__(self, study: optuna.Study, space: Space, task: Task, spec: SearchSpec, listener: Listener) -> None:
        """Draw configurations for `task` from `space`; `listener` hears of every event, after the study has it."""
        super().__init__(metric="merit", mode="max")
        self._study, self._space, self._task, self._spec = study, space, task, spec
        self._listen = listener
        self._running: dict[str, optuna.Trial] = {}
        self._curves: dict[str, list[EpochReport]] = {}

    def suggest(self, trial_id: str) -> dict[str, Any]:
        """Ask the study for the next trial, and make it an assignment."""
        trial = self._study.ask()
        config = draw_config(self._space, trial, self._task, self._spec.pins)
        seed = derive_seed(self._spec.seed, "trial", trial.number)
        record_config(trial, config, seed)
        self._running[trial_id], self._curves[trial_id] = trial, []
        self._listen("start", trial.number, None)
        return {"assignment": self._assignment(trial.number, config, seed).model_dump_json()}

    def _assignment(self, number: int, config: TrialConfig, seed: int) -> Assignment:
        spec = self._spec
        name = f"trial-{number}"
        return Assignment(
            trial=name, kind="search", config=config, seed=seed, max_epochs=spec.max_epochs,
            rungs=rungs(spec.grace_epochs, spec.reduction_factor, spec.max_epochs),
            folder=str(spec.folder / "trials" / name),
        )  # fmt: skip

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Put one epoch into the study, once."""
        report = EpochReport.model_validate_json(result["report"])
        curve = self._curves[trial_id]
        if curve and curve[-1].epoch >= report.epoch and report.status != "failed":
            return
        curve.append(report)
        if report.status != "failed":
            trial = self._running[trial_id]
            trial.report(report.score, report.epoch)
            self._listen("epoch", trial.number, report)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Tell the study how a trial ended."""
        if result is not None and "report" in result:
            self.on_trial_result(trial_id, result)
        curve = self._curves[trial_id]
        if error or not curve:
            curve.append(failure(self._name(trial_id), "its trial actor was lost", curve[-1].epoch if curve else 0))
        self._tell(trial_id, f"stopped after epoch {curve[-1].epoch}")

    def end(self) -> None:
        """Close what a time budget cut off: those trials are PRUNED where they stand."""
        for trial_id in list(self._running):
            if not self._curves[trial_id]:
                self._curves[trial_id].append(failure(self._name(trial_id), "time budget"))
            self._tell(trial_id, "time budget")

    def _tell(self, trial_id: str, why_stopped: str) -> None:
        trial, curve = self._running.pop(trial_id), self._curves.pop(trial_id)
        last = curve[-1]
        record_curve(trial, curve, last.reason if last.status == "failed" else why_stopped)
        if last.status == "complete":
            self._study.tell(trial, last.score)
        else:
            self._study.tell(trial, state=TrialState.FAIL if last.status == "failed" else TrialState.PRUNED)
        self._listen(ENDS[last.status], trial.number, last)

    def _name(self, trial_id: str) -> str:
        return f"trial-{self._running[trial_id].number}"

    def __getstate__(self) -> dict[str, Any]:
        """Nothing, for Tune's own record of the search, which nobody reads: the study is the memory."""
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the study is the memory."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the study is the memory."""
