"""Ray Tune's side of early stopping: it hears every report, and stops what the rule holds back."""

from typing import Any

from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from searchspace.stopping.rule import Rule
from searchspace.stopping.rung import Mark
from trainables.config import EpochReport


class RungScheduler(FIFOScheduler):
    """Asks the rule at each report. A trial that has to wait is over for Tune; it may come back as another one."""

    def __init__(self, rule: Rule) -> None:
        """Decide by `rule`."""
        super().__init__()  # type: ignore[no-untyped-call]  # Ray lacks it
        self._rule = rule

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:  # noqa: ARG002  # Tune's signature
        """Whether the trial trains on; a report that ends it never comes here."""
        if trial.config["audited"]:
            return TrialScheduler.CONTINUE
        report = EpochReport.model_validate_json(result["report"])
        mark = Mark(
            trial=trial.config["trial"], epoch=report.epoch, merit=report.merit, seconds=report.total_seconds,
            kind=trial.config["kind"],
        )  # fmt: skip
        goes_on = self._rule.report(mark)
        return TrialScheduler.CONTINUE if goes_on else TrialScheduler.STOP
