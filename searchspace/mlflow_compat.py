"""Undocumented parts of MLflow that this package uses; no other module of it names any.

`test_optuna_compat.py` names the part that a release of MLflow has changed.
"""

from typing import Any

GIT_COMMIT, RUN_NAME, PARENT_RUN_ID = "mlflow.source.git.commit", "mlflow.runName", "mlflow.parentRunId"
"""Tags of runs that MLflow's pages read."""


def start_system_monitor(run: str, seconds: float) -> Any | None:
    """Sample system metrics for the run of this id every so many seconds; None where this release of MLflow cannot.

    The public `mlflow.start_run(log_system_metrics=True)` does so for a run that is active in this process, and sets
    the run's status when it ends. What is returned has a method `finish`.
    """
    try:
        from mlflow.system_metrics import system_metrics_monitor

        made: Any = system_metrics_monitor.SystemMetricsMonitor  # which has no types
    except (ImportError, AttributeError):
        return None
    # A search that was resumed continues the steps that it had.
    monitor = made(run, sampling_interval=seconds, resume_logging=True)
    monitor.start()
    return monitor
