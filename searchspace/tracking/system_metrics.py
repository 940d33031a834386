"""What the machine does that a search is driven from: MLflow's own system metrics, on the search's run."""

from typing import Any

from searchspace.mlflow_compat import start_system_monitor

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
            self._monitor = start_system_monitor(run, SECONDS)

    def close(self) -> None:
        """Sample no more."""
        if self._monitor is not None:
            self._monitor.finish()
