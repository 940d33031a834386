"""Ray: joining a cluster, or starting one on this machine, without its chatter."""

import logging
import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from trainables.errors import UserError

WORKER_ENVIRONMENT = {"OMP_WAIT_POLICY": "passive"}
"""Idle OpenMP threads sleep: spinning, two gangs on one machine made each other 2 to 5 times slower."""
QUIET = {
    "RAY_TRAIN_ENABLE_CONTROLLER_STRUCTURED_LOGGING": "0",
    "RAY_TRAIN_ENABLE_WORKER_STRUCTURED_LOGGING": "0",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
    "RAY_DEDUP_LOGS": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    # Ray starts as many processes at a time as there are cores, and warns of more; most of a start is waiting.
    "RAY_worker_maximum_startup_concurrency": "16",
}
HUNG = "60"
"""Seconds without an answer after which a worker counts as dead; Ray Train would wait ten minutes."""
LOCAL = {"RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0"}
"""On a machine of one's own nothing is preempted; the watcher is one more process a gang."""


@contextmanager
def connected(address: str) -> Iterator[Mapping[str, float]]:
    """Ray up, and its resources; everything is shut down afterwards. Raises `UserError` for a wrong address."""
    _check_reachable(address)
    os.environ.setdefault("RAY_TRAIN_WORKER_HEALTH_CHECK_TIMEOUT_S", HUNG)
    os.environ.update(QUIET | WORKER_ENVIRONMENT | ({} if address else LOCAL))
    import ray

    options: dict[str, Any] = {"address": address} if address else {"include_dashboard": False}
    if address:
        options["runtime_env"] = {"env_vars": QUIET | WORKER_ENVIRONMENT}
    threading.Thread(target=_import_ahead, daemon=True).start()
    try:
        ray.init(log_to_driver=False, logging_level=logging.ERROR, configure_logging=True, **options)
    except (ConnectionError, ValueError) as error:
        raise UserError(f"--address {address!r}: {str(error).splitlines()[0]}") from error
    try:
        yield ray.cluster_resources()  # type: ignore[no-untyped-call]  # Ray lacks it
    finally:
        ray.shutdown()


def _check_reachable(address: str) -> None:
    """Raise `UserError` where nothing listens at HOST:PORT; Ray would go on trying for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not (colon and port.isdigit()):
        return  # `auto`, or empty
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except (OSError, OverflowError) as error:
        raise UserError(f"--address {address!r}: no Ray cluster answers there ({error})") from error


def _import_ahead() -> None:
    """Import what comes next while Ray's own processes start."""
    import ray.train
    import ray.tune  # noqa: F401  # for whoever imports it after this
