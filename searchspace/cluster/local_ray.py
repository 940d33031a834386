"""Ray on this machine alone: a fresh token, every port on loopback, and files that nobody else can reach."""

import atexit
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from searchspace.cli.interruption import Interrupted
from trainables.common.errors import UserError

LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""Ray's own switch for a machine that is no cluster's node: its address is 127.0.0.1, and its servers listen there."""
LONGEST = 40
"""Characters of a folder that leave room for Ray's sockets below it; a socket's path has 107 at most."""


@contextmanager
def alone() -> Iterator[dict[str, Any]]:
    """Options of `ray.init` for a Ray of one's own; what they need is in the environment, and in no command line.

    The folder with Ray's sockets and logs goes afterwards, but stays where the block failed, to be looked at.
    """
    variables = LOOPBACK | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    folder = _private_folder()
    remove = partial(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(remove)  # after Ray's own: a start that is interrupted leaves processes until then
    try:
        with _environment(variables), _sessions_of_their_own():
            # Ray opens its own folder to everybody; nobody gets through the one around it.
            yield {"address": "local", "include_dashboard": False, "_temp_dir": str(folder / "ray")}
    except (UserError, Interrupted, KeyboardInterrupt, SystemExit):
        remove()
        raise
    except BaseException:
        atexit.unregister(remove)
        raise
    remove()
    atexit.unregister(remove)


def kill_own() -> None:
    """Kill the processes of a Ray of one's own, without asking any of them."""
    from ray._private import worker

    if worker._global_node is not None:
        worker._global_node.kill_all_processes(check_alive=False, allow_graceful=False)


def _private_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="searchspace-ray-"))
    if len(str(folder)) > LONGEST:
        folder.rmdir()
        folder = Path(tempfile.mkdtemp(prefix="searchspace-ray-", dir="/tmp"))
    return folder


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    _let_ray_look_again()
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        _let_ray_look_again()


@contextmanager
def _sessions_of_their_own() -> Iterator[None]:
    """Start Ray's processes in new sessions, so that a signal to this process group reaches this process alone.

    `timeout`, a shell's `kill -- -PGID` and a terminal signal a whole group; the search needs Ray to save its trials.
    On Linux alone: there the kernel kills Ray's processes when this one dies (PR_SET_PDEATHSIG, which a new session
    keeps); elsewhere Ray finds them by their process group.
    """
    import ray._private.services

    services: Any = ray._private.services
    popen = services.ConsolePopen
    if sys.platform == "linux":
        services.ConsolePopen = partial(popen, start_new_session=True)
    try:
        yield
    finally:
        services.ConsolePopen = popen


def _let_ray_look_again() -> None:
    """Ray reads these variables once a process; where it has already, it is to read them again."""
    import ray._private.ray_constants
    import ray._raylet

    constants: Any = ray._private.ray_constants
    core: Any = ray._raylet
    default = not constants.IS_WINDOWS_OR_OSX
    constants.ENABLE_RAY_CLUSTER = constants.env_bool(constants.ENABLE_RAY_CLUSTERS_ENV_VAR, default)
    core.AuthenticationTokenLoader.instance().reset_cache()
    core.Config.initialize("")
