"""MLflow runs of a search, each found again by its tags and given only what it lacks; system metrics beside them."""

import os
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from searchspace.mlflow_compat import GIT_COMMIT, PARENT_RUN_ID, RUN_NAME, start_system_monitor
from searchspace.spec import SearchSpec, load_facts
from searchspace.storage.search_folder import trial_name
from searchspace.study.study import StudyReader
from searchspace.study.trial_attributes import read_config, read_curve, read_standing
from searchspace.tracking.tracking_store import artifacts_uri, check_experiment, check_store, tracking_uri
from trainables.config import EpochReport

EXPERIMENT = "searchspace"
CURVE_METRICS = ("score", "accuracy", "val_loss", "train_loss", "seconds", "images_per_second")
"""Fields of an `EpochReport` that are metrics; all of one epoch are logged at once."""
SAMPLING_INTERVAL_S = 10
"""Seconds between two samples of the processor, memory, disk, network and, where there is one, GPU."""
EPOCHS_PER_CALL = 100
"""Epochs logged at a time; MLflow takes 1,000 metrics."""


class RunUploader:
    """Brings one search's MLflow runs up to date with its study.

    Errors of MLflow's store come as it raises them, but for what can be known before it tries.
    """

    def __init__(self, spec: SearchSpec, folder: Path) -> None:
        """Find or make the experiment and the parent run."""
        import mlflow
        from mlflow.tracking import MlflowClient

        self.spec, self.folder, self.facts = spec, folder, load_facts(folder)
        artifacts = None if os.environ.get("MLFLOW_TRACKING_URI") else artifacts_uri(folder)
        self.uri = tracking_uri(folder)
        check_store(self.uri)
        mlflow.set_tracking_uri(self.uri)  # which sets that variable, too
        self.client = MlflowClient()
        found = self.client.get_experiment_by_name(EXPERIMENT)
        if found:
            check_experiment(EXPERIMENT, found.experiment_id, found.lifecycle_stage, self.uri)
        self.experiment = found.experiment_id if found else self.client.create_experiment(EXPERIMENT, artifacts)
        # Two searches of one name may meet on a shared server; they began at different times.
        self.identity = {"searchspace.search": spec.study_name, "searchspace.started": self.facts["started"]}
        self.parent = self._run(spec.name, self.identity | {"searchspace.role": "search"}, self._origin)
        self.done: set[int] = set()

    @property
    def _origin(self) -> dict[str, str]:
        """Tags that say what code and data a run is of."""
        commit, data = str(self.facts.get("git_commit") or ""), self.facts.get("data", {})
        code = {GIT_COMMIT: commit, "searchspace.git_commit": commit} if commit else {}
        return code | {"searchspace.data": self.spec.data, "searchspace.data_fingerprint": data.get("fingerprint", "")}

    def _run(self, name: str, identity: dict[str, str], tags: dict[str, str]) -> str:
        """Id of the run of this identity, made with `tags` besides if it is missing."""
        import mlflow.entities

        wanted = " and ".join(f"tags.`{key}` = '{value}'" for key, value in identity.items())
        found = self.client.search_runs([self.experiment], wanted, mlflow.entities.ViewType.ACTIVE_ONLY, max_results=1)
        if found:
            return str(found[0].info.run_id)
        run = self.client.create_run(self.experiment, tags={**identity, **tags, RUN_NAME: name})
        return str(run.info.run_id)

    def upload_trials(self, study: StudyReader) -> None:
        """Log what has come since the last look."""
        for trial in study.get_trials(deepcopy=False):
            if trial.number not in self.done and "config" in trial.user_attrs:
                self._upload_trial(trial)

    def _upload_trial(self, trial: FrozenTrial) -> None:
        from mlflow.entities import Param

        identity = self.identity | {"searchspace.role": "trial", "searchspace.trial": str(trial.number)}
        run = self._run(trial_name(trial.number), identity, {PARENT_RUN_ID: self.parent} | self._origin)
        logged = {metric.step for metric in self.client.get_metric_history(run, CURVE_METRICS[-1])}
        if not logged:
            self.client.log_batch(run, params=[Param(k, str(v)) for k, v in read_config(trial).hyperparameters.items()])
        missing = [report for report in read_curve(trial) if report.status != "failed" and report.epoch not in logged]
        for start in range(0, len(missing), EPOCHS_PER_CALL):
            self.client.log_batch(run, metrics=_metrics(trial, missing[start : start + EPOCHS_PER_CALL]))
        if trial.state.is_finished():
            self._close_trial(run, trial)
            self.done.add(trial.number)

    def _close_trial(self, run: str, trial: FrozenTrial) -> None:
        standing = read_standing(trial)
        told = {"state": trial.state.name, "reason": trial.user_attrs.get("reason", "")}
        told |= {"rung": str(standing.rung)} if standing else {}
        for name, value in told.items():
            self.client.set_tag(run, f"searchspace.{name}", value)
        self.client.set_terminated(run, "FAILED" if trial.state == TrialState.FAIL else "FINISHED")


def _metrics(trial: FrozenTrial, reports: list[EpochReport]) -> list[Any]:
    """The epochs' metrics, at the time that each was over as far as the trial's own clock tells."""
    from mlflow.entities import Metric

    start = trial.datetime_start.timestamp() if trial.datetime_start else 0.0
    return [
        Metric(name, getattr(report, name), int(1000 * (start + report.total_seconds)), report.epoch)
        for report in reports
        for name in CURVE_METRICS
    ]


class SystemMonitor:
    """MLflow's own system metrics of the machine that drives a search, on the search's run."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._monitor: Any = None

    def start(self, run: str) -> None:
        """Sample for the run of this id; does nothing the second time."""
        if self._monitor is None:
            self._monitor = start_system_monitor(run, SAMPLING_INTERVAL_S)

    def close(self) -> None:
        """Stop sampling."""
        if self._monitor is not None:
            self._monitor.finish()
