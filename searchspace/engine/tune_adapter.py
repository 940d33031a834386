"""Adapter to Ray Tune: a searcher and a scheduler that delegate to the engine, and the call that runs Tune."""

import logging
import math
import os
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ray import tune
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher
from ray.tune.stopper import Stopper

from searchspace.budget.allowance import Allowance, Phase, unlimited
from searchspace.cli.interruption import LostError
from searchspace.engine.search_engine import SearchEngine
from searchspace.ray_compat import TUNE_VARIABLES, make_tuner
from searchspace.spec import SearchSpec
from trainables.config import Assignment, Decision, EpochReport
from trainables.trial import TrialTrainable
from trainables.workers.gang_resources import HEAD
from trainables.workers.slot_client import send_decision

if TYPE_CHECKING:
    from trainables.workers.gang_pool import GangPool


class EngineSearcher(Searcher):
    """Tune's searcher: suggests what the engine suggests. A resumed trial is another trial to Tune."""

    def __init__(self, engine: SearchEngine, slots: int) -> None:
        """Ask `engine` while Tune has fewer than `slots` trials.

        A trial that has ended keeps its actor until Tune is done with it; one suggested earlier would start another.
        """
        super().__init__(metric="objective_value", mode="max")
        self._engine, self._slots = engine, slots
        self._count = count()
        self.assignments: dict[str, Assignment] = {}
        """What is being trained, by Tune's trial."""

    def suggest(self, trial_id: str) -> Any:
        """The next trial as Tune's config; None while there is none, `FINISHED` when there will be none."""
        if len(self.assignments) >= self._slots:
            return None
        assignment = self._engine.suggest()
        if assignment is None:
            return Searcher.FINISHED if self._engine.is_idle else None
        self.assignments[trial_id] = assignment
        return {"preferred_slot": next(self._count), "assignment": assignment.model_dump_json()}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Nothing: the scheduler hands every report to the engine."""

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:  # noqa: ARG002  # Tune's signature
        """Hear that Tune is done with a trial; an `error` is its actor's, for a trial's own is a report."""
        assignment = self.assignments.pop(trial_id)
        if error:
            self._engine.on_lost(assignment.trial)

    def __getstate__(self) -> dict[str, Any]:
        """Nothing, for Tune's own record of the search, which is not read: the study is the record."""
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the study is the record."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the study is the record."""


class EngineScheduler(FIFOScheduler):
    """Tune's scheduler: hands each report to the engine, and the decision to the gang. A paused trial ends for Tune."""

    def __init__(self, engine: SearchEngine, searcher: EngineSearcher, broker: Any) -> None:
        """Ask `engine` about the trials of `searcher`, and tell `broker`."""
        super().__init__()  # type: ignore[no-untyped-call]  # Ray lacks it
        self._engine, self._searcher, self._broker = engine, searcher, broker

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:  # noqa: ARG002  # Tune's signature
        """Whether the trial keeps its actor; the gang hears of it here, since Tune may keep the actor for another."""
        report = EpochReport.model_validate_json(result["report"])
        decision = self._engine.on_report(report)
        # Where the search is interrupted, the gang finishes its epoch: it is resumed from there.
        abandon = decision is Decision.STOP and not self._engine.is_stopping
        send_decision(self._broker, self._searcher.assignments[trial.trial_id], report, decision, abandon)
        return TrialScheduler.CONTINUE if decision is Decision.CONTINUE else TrialScheduler.STOP

    def __getstate__(self) -> dict[str, Any]:
        """Nothing, for Tune's own record of the search, which is not read."""
        return {}


class SearchEnd(Stopper):
    """Ends a search at its time budget, or its part of the whole budget, or when it has to end."""

    def __init__(
        self,
        seconds: float,
        is_warm: Callable[[], bool],
        is_over: Callable[[], bool],
        allowance: Allowance = unlimited,
    ) -> None:
        """Count `seconds` by the monotonic clock from when `is_warm` says that a gang can train.

        `is_over` says whether the search is to end, and nothing is being trained. `allowance` is asked what is left of
        the whole budget.
        """
        self._seconds, self._is_warm, self._is_over, self._allowance = seconds, is_warm, is_over, allowance
        self._end = math.inf

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:  # noqa: ARG002  # Tune's signature
        """False: the scheduler ends trials."""
        return False

    def stop_all(self) -> bool:
        """Whether all trials are to end, those that wait for a gang too."""
        if self._end == math.inf and self._is_warm():
            self._end = time.monotonic() + self._seconds
        return time.monotonic() > self._end or self._allowance(Phase.SEARCH) <= 0 or self._is_over()

    def __getstate__(self) -> dict[str, Any]:
        """Nothing, for Tune's own record of the search, which is not read."""
        return {}


def run_search(spec: SearchSpec, engine: SearchEngine, pool: "GangPool", allowance: Allowance = unlimited) -> None:
    """Run what is left of `spec.trials` trials, or as many as the time budget and the whole budget hold.

    Returns earlier, with nothing closed, if the search is asked to stop; raises `LostError` when the trial broker is
    gone. All that is not over then can be resumed from the study.
    """
    _configure_tune(pool.resources.slots if spec.address else max(1, (os.cpu_count() or 1) // 2))
    trainable = tune.with_resources(
        tune.with_parameters(TrialTrainable, broker=pool.broker), tune.PlacementGroupFactory([{"CPU": 0, **HEAD}])
    )
    seconds = spec.time_budget or math.inf
    end = SearchEnd(seconds, lambda: pool.is_warm, lambda: engine.is_stopping and not pool.is_training(), allowance)
    searcher = EngineSearcher(engine, pool.resources.slots)
    with tempfile.TemporaryDirectory(prefix="searchspace-tune-") as scratch:
        make_tuner(
            Path(scratch),
            trainable=trainable,
            tune_config=tune.TuneConfig(
                num_samples=-1,  # the engine knows when the search is over, and how many trials run at a time
                search_alg=searcher,
                scheduler=EngineScheduler(engine, searcher, pool.broker),
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(name=spec.name, storage_path=scratch, verbose=0, stop=end),
        ).fit()
    if engine.lost:
        raise LostError("the trial broker between the search and its gangs")
    if not engine.is_stopping:
        engine.end()


def _configure_tune(pending: int) -> None:
    """Silence Tune, whose files and console are not read, and let it start `pending` trial actors at a time.

    By itself, Tune starts one trial actor after another, and gives a start up whenever another trial ends meanwhile, so
    that no more slots are busy than starts fit into a trial. On a machine of its own, gangs start later anyway.
    """
    os.environ |= {
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1", "TUNE_WARN_INSUFFICIENT_RESOURCE_THRESHOLD_S": "1000000",
        "TUNE_DISABLE_SIGINT_HANDLER": "1",  # `Interruption` handles SIGINT
        "TUNE_MAX_PENDING_TRIALS_PG": str(pending),
    } | TUNE_VARIABLES  # fmt: skip
    logging.getLogger("ray.tune").setLevel(logging.ERROR)
