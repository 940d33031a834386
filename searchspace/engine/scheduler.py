"""Ray Tune's side of stopping: a trial that the rule holds back, and a search whose time is over."""

import math
import time
from collections.abc import Callable
from typing import Any

from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.stopper import Stopper

from searchspace.stopping.rule import StoppingRule
from searchspace.stopping.rung import observe
from trainables.config import EpochReport


class RungScheduler(FIFOScheduler):
    """Asks the rule at each report. A trial that has to wait is over for Tune; it may come back as another one."""

    def __init__(self, rule: StoppingRule, is_stopping: Callable[[], bool]) -> None:
        """Decide by `rule`; once the search `is_stopping`, every trial ends with its epoch."""
        super().__init__()  # type: ignore[no-untyped-call]  # Ray lacks it
        self._rule, self._is_stopping = rule, is_stopping

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:  # noqa: ARG002  # Tune's signature
        """Whether the trial trains on; a report that ends it never comes here."""
        if trial.config["audited"]:
            return TrialScheduler.STOP if self._is_stopping() else TrialScheduler.CONTINUE
        report = EpochReport.model_validate_json(result["report"])
        mark = observe(trial.config["trial"], trial.config["kind"], report)
        goes_on = self._rule.report(mark)
        return TrialScheduler.CONTINUE if goes_on and not self._is_stopping() else TrialScheduler.STOP


class SearchEnd(Stopper):
    """Ends a search whose time is over, by a clock that nobody sets, which Tune's own is not; or that has to end."""

    def __init__(self, seconds: float, is_warm: Callable[[], bool], is_over: Callable[[], bool]) -> None:
        """Count `seconds` from when `is_warm` says that a gang can train: starting one is no search.

        `is_over` says whether the search is to end, and nobody trains any more.
        """
        self._seconds, self._is_warm, self._is_over = seconds, is_warm, is_over
        self._end = math.inf

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:  # noqa: ARG002  # Tune's signature
        """No trial ends by itself."""
        return False

    def stop_all(self) -> bool:
        """Whether all trials are to end, those that wait for a gang too."""
        if self._end == math.inf and self._is_warm():
            self._end = time.monotonic() + self._seconds
        return time.monotonic() > self._end or self._is_over()

    def __getstate__(self) -> dict[str, Any]:
        """Nothing, for Tune's own record of the search, which nobody reads."""
        return {}
