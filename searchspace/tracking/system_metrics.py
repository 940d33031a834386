"""What the machine does that a search is driven from: MLflow's own system metrics, on the search's run."""

from typing import Any

SECONDS = 10
"""Between two samples of the processor, memory, disk, network and, where there is one, GPU."""


class Monitor:
    """Samples from when it is told for which run until it is closed."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._monitor: Any = None

    def start(self, run: str) -> None:
        """Sample for the run of this id; does nothing the second time."""
        if self._monitor is None:
            from mlflow.system_metrics import system_metrics_monitor

            made: Any = system_metrics_monitor.SystemMetricsMonitor  # which has no types
            # A search that was resumed goes on with the steps that it had.
            self._monitor = made(run, sampling_interval=SECONDS, resume_logging=True)
            self._monitor.start()

    def close(self) -> None:
        """Sample no more."""
        if self._monitor is not None:
            self._monitor.finish()
