"""Ray, up for as long as a search needs it: one of its own, or a cluster's, without its chatter."""

import importlib
import logging
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from searchspace.cli.interruption import LostError
from searchspace.cluster.joined_ray import check_tokens, joined
from searchspace.cluster.local_ray import alone

if TYPE_CHECKING:
    from searchspace.cluster.placement import Room

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
    # A gang may wait minutes for a node; Ray Train would take its wish back each minute, and autoscalers follow wishes.
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "3600",
}
HUNG = "60"
"""Seconds without an answer after which a worker counts as dead; Ray Train would wait ten minutes."""
LOCAL = {"RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0"}
"""On a machine of one's own nothing is preempted; the watcher is one more process a gang."""

SLOW = "timed out during startup"
"""What Ray says when its own processes were too slow."""
SEARCHING = ("ray.train", "ray.tune")
"""Parts of Ray that a search needs."""


@contextmanager
def connected(address: str, parts: Sequence[str] = SEARCHING) -> Iterator["Room"]:
    """Ray up, and the room on it; `parts` of it are imported meanwhile. Everything is shut down afterwards.

    Raises `UserError` for an address where no cluster is, or one that does not let this search in.
    """
    os.environ.setdefault("RAY_TRAIN_WORKER_HEALTH_CHECK_TIMEOUT_S", HUNG)
    os.environ.update(QUIET | WORKER_ENVIRONMENT)
    with ExitStack() as held:
        if not address:
            os.environ.update(LOCAL)
            _start(held.enter_context(alone()), parts)
        else:
            with joined(address, QUIET | WORKER_ENVIRONMENT) as options:
                _start(options, parts)
        import ray

        held.callback(ray.shutdown)
        from searchspace.cluster.nodes import look_around

        if address:
            check_tokens(address)
        yield look_around(joined=bool(address))


@contextmanager
def losses_told() -> Iterator[None]:
    """Raise `LostError` where Ray's own errors come out: a part that everything hangs on is gone."""
    from ray.exceptions import RayError

    try:
        yield
    except (RayError, ConnectionError) as error:  # the second is Ray Client's
        raise LostError(next(iter(str(error).strip().splitlines()), type(error).__name__)) from error


def _start(options: dict[str, Any], parts: Sequence[str]) -> None:
    import ray

    ahead = threading.Thread(target=_import_ahead, args=(parts,), daemon=True)
    ahead.start()
    try:
        # A terminal that closes sends SIGHUP to all of its processes; Ray's are to last until the search has saved.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})  # inherited by what is started
        ray.init(log_to_driver=False, logging_level=logging.ERROR, configure_logging=True, **options)
    except Exception as error:  # Ray raises no narrower one
        if SLOW not in str(error):
            raise
        raise LostError(
            "Ray, which did not start within its 30 seconds: this machine is too busy; the same command begins again"
        ) from error
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
    ahead.join()  # two threads that import the same packages at once may each find half of them


def _import_ahead(parts: Sequence[str]) -> None:
    """Import what comes next while Ray's own processes start."""
    for part in parts:
        importlib.import_module(part)
