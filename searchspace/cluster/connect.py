"""Runs Ray for the duration of a search: a local Ray of its own, or an existing cluster's."""

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
from searchspace.ray_compat import HEALTH_CHECK_TIMEOUT, LOCAL_VARIABLES, RAY_VARIABLES

if TYPE_CHECKING:
    from searchspace.cluster.placement import Room

WORKER_ENVIRONMENT = {"OMP_WAIT_POLICY": "passive"}
"""Idle OpenMP threads sleep: spinning, two gangs on one machine made each other 2 to 5 times slower."""
WORKER_TIMEOUT_S = "60"
"""Seconds without an answer after which a worker counts as dead; Ray Train's default is ten minutes."""
SLOW_START_MESSAGE = "timed out during startup"
"""What Ray says when its own processes were too slow."""
SEARCH_PARTS = ("ray.train", "ray.tune")
"""Parts of Ray that a search needs."""


@contextmanager
def connected(address: str, parts: Sequence[str] = SEARCH_PARTS) -> Iterator["Room"]:
    """Ray up, and the room on it; `parts` of it are imported meanwhile. Everything is shut down afterwards.

    Raises `UserError` for an address where no cluster is, or one that does not let this search in.
    """
    os.environ.setdefault(HEALTH_CHECK_TIMEOUT, WORKER_TIMEOUT_S)
    os.environ.update(RAY_VARIABLES | WORKER_ENVIRONMENT)
    with ExitStack() as held:
        if not address:
            os.environ.update(LOCAL_VARIABLES)
            _start(held.enter_context(alone()), parts)
        else:
            with joined(address, RAY_VARIABLES | WORKER_ENVIRONMENT) as options:
                _start(options, parts)
        import ray

        held.callback(ray.shutdown)
        from searchspace.cluster.nodes import look_around

        if address:
            check_tokens(address)
        yield look_around(joined=bool(address))


@contextmanager
def losses_told() -> Iterator[None]:
    """Raise `LostError` for Ray's own errors: a part that the search depends on was lost."""
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
        if SLOW_START_MESSAGE not in str(error):
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
